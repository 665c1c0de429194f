"""What a test depends on is told; what it does not depend on is not."""

from reid_ext.settings.evaluation import WHEN, evaluation_settings
from reid_ext.settings.load import get_default_config


def test_what_a_test_depends_on():
    told = evaluation_settings(get_default_config())
    assert {"model.name", "stra.gate", "kprpe.scale_bias", "data.targets", "data.height", "test.rerank"} <= told.keys()
    assert not {"model.pretrained", "train.lr", "data.save_dir", "test.batch_size", "use_gpu"} & told.keys()
    assert told.keys() >= {*WHEN}
