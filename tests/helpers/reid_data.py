"""What the torchreid tests share: a small run's settings, and the complexity that each network must have."""

SMALL = (
    "model.name mobilenetv2_x1_0_stra model.pretrained False data.height 64 data.width 32 data.workers 0 "
    "train.print_freq 1 use_gpu False"
).split()


def arguments(root, save_dir, *opts):
    return ["--root", str(root), *SMALL, "data.save_dir", str(save_dir), *opts]


# millions of parameters, GFLOPs (multiply-accumulates) at 256x128
COMPLEXITY = {
    "resnet50_fc512": (24.56, 4.054),
    "resnet50_conv": (24.56, 4.054),
    "resnet50_stra": (17.62, 3.167),
    "resnet50_conv_mode": (24.6, 4.06),
    "resnet50_groupconv_mode": (18.4, 3.26),
    "resnet50_sasa": (17.8, 3.19),
    "resnet50_sasa_mode": (17.8, 3.19),
    "resnet50_nonlocal": (None, 7.38),
    "se_resnet50_fc512": (27.09, 3.956),
    "mobilenetv2_x1_0_ls1": (None, 0.3584),
    "mobilenetv2_x1_4_ls1": (None, 0.6827),
}
