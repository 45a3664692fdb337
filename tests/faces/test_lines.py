"""Edges of pictures and outlines of label maps."""

import numpy as np

from facecond.faces.lines import edges, outlines


def test_outlines_are_the_border_of_the_part_on_top() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[2:6, 2:6] = 13
    expected = np.zeros((8, 8), bool)
    expected[2:6, 2:6] = True
    expected[3:5, 3:5] = False
    np.testing.assert_array_equal(outlines(labels), expected)
    np.testing.assert_array_equal(outlines(labels[:, ::-1]), outlines(labels)[:, ::-1])


def test_edges_lie_where_the_picture_changes() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 16:] = 200
    rows, columns = np.nonzero(edges(image))
    assert set(columns.tolist()) <= {15, 16}
    assert len(set(rows.tolist())) >= 28
    assert not edges(np.full((32, 32, 3), 90, np.uint8)).any()
