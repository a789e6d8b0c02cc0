import dataclasses

from maskkit.sweep import recipe_inputs


def test_two_draws_of_one_key_are_of_equal_photos():
    draw = recipe_inputs.Draw("a", ({"file": "x"},))
    assert draw == dataclasses.replace(draw, rows=()) and draw != dataclasses.replace(draw, key="b")
    assert recipe_inputs.Backbone("resnet18", "none") == recipe_inputs.Backbone("resnet18", "none", 0)
