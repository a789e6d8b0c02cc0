from maskkit.core import parameters, paths
from maskkit.improve import augment, benchmark_networks
from maskkit.runner import notebook_parameters


def test_every_parameter_that_is_no_path_has_a_rule_and_every_default_keeps_it():
    declared = set()
    for path in paths.NOTEBOOKS.glob("0*.ipynb"):
        defaults = notebook_parameters.read_defaults(path)
        parameters.check(defaults)
        declared |= defaults.keys()
    assert declared - {"AGAINST", "GROUPS", "CORRECTIONS"} == parameters.RULES.keys()  # these may be empty
    for path in paths.NOTEBOOKS.glob("*.yaml"):
        if path.name != "sweep.yaml":
            parameters.check(notebook_parameters.read_file(path))


def test_choices_are_those_of_the_functions_that_take_them():
    import torchvision

    assert set(parameters.AUGMENT) == {"none", *augment.TRAINING, "occluded"}
    assert tuple(benchmark_networks.ENGINES) == parameters.ENGINES
    assert parameters.classifiers() == set(torchvision.models.list_models(module=torchvision.models))
