import numpy as np

from maskkit.core.groups import components


def test_photos_joined_directly_or_through_others_are_one_group():
    groups = components(7, np.array([[0, 1], [1, 2]]), np.array([[4, 5]]))
    assert groups[0] == groups[1] == groups[2] and groups[4] == groups[5] and len(set(groups)) == 4


def test_without_pairs_each_photo_is_a_group():
    assert sorted(components(3)) == [0, 1, 2] and len(components(0)) == 0
