"""People of anny's bodies: ranges of their phenotypes, seeds, and the gait that they share with the stick figure."""

from dataclasses import asdict, fields

from plugins.benchmarks.walkers import Identity, MeshIdentity
from plugins.benchmarks.walkers.mesh_identity import PHENOTYPES, Phenotypes


def test_phenotypes_stay_in_their_ranges_and_spread():
    assert set(PHENOTYPES) == {field.name for field in fields(Phenotypes)}
    drawn = [asdict(Phenotypes.sample(seed, 3.0)) for seed in range(60)]
    for name, (_, _, low, high) in PHENOTYPES.items():
        values = [person[name] for person in drawn]
        assert low <= min(values) < max(values) <= high and max(values) - min(values) > 0.7 * (high - low), name


def test_a_seed_gives_a_person_and_the_gait_of_its_stick_figure():
    person, gait = MeshIdentity.sample(5, 2.0), Identity.sample(5, 2.0)
    assert person == MeshIdentity.sample(5, 2.0) and person.phenotypes != MeshIdentity.sample(6, 2.0).phenotypes
    assert {name: getattr(person, name) for name in asdict(gait)} == asdict(gait)
    assert MeshIdentity.sample(3, 0) == MeshIdentity.sample(4, 0)
