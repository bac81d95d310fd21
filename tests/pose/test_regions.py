import math

import cv2
import numpy as np
import pytest

from tt_actions.pose.regions import Region, cut_region, region_around, rotation, to_image


@pytest.mark.parametrize("turn", [-2.5, -math.pi / 2, 0.0, 0.7, 3.0])
def test_a_region_turns_with_the_body(turn):
    centre = np.array([120.0, 90.0])
    above = centre + rotation(turn) @ [0, -40]
    region = region_around(centre, above)
    assert region[:3] == pytest.approx((120, 90, 100))
    assert math.cos(region.turn - turn) == pytest.approx(1)


@pytest.mark.parametrize("turn", [0.0, 0.6, math.pi / 2, -2.0])
def test_a_place_in_a_cut_out_is_found_again_in_the_image(turn):
    image = np.zeros((200, 300, 3), np.uint8)
    cv2.circle(image, (170, 80), 4, (255, 255, 255), -1)
    region = Region(150, 90, 100, turn)
    cut = cut_region(image, region, (128, 128), cv2.BORDER_CONSTANT)[..., 0].astype(float)
    rows, columns = np.indices(cut.shape)
    place = np.array([(columns * cut).sum(), (rows * cut).sum()]) / cut.sum()
    assert to_image((place[None] + 0.5) / 128, region)[0] == pytest.approx((170, 80), abs=0.8)


def test_outside_of_the_image_the_border_is_black_or_repeated():
    image = np.full((40, 40, 3), 200, np.uint8)
    region = Region(0, 20, 40)
    black = cut_region(image, region, (40, 40), cv2.BORDER_CONSTANT)
    assert (black[:, :19].max(), black[:, 21:].min()) == (0, 200)
    assert cut_region(image, region, (40, 40), cv2.BORDER_REPLICATE).min() == 200


def test_a_tall_cut_out_shows_less_of_the_width_and_places_in_it_are_found_again():
    image = np.zeros((200, 300, 3), np.uint8)
    cv2.circle(image, (170, 80), 4, (255, 255, 255), -1)
    image[:, 191:] = 90  # beyond half of 80 pixels, three quarters of the region's height
    region = Region(150, 90, 106.667)
    cut = cut_region(image, region, (128, 96), cv2.BORDER_CONSTANT)[..., 0].astype(float)
    assert cut.shape == (128, 96)
    assert (cut == 90).sum() < 128
    rows, columns = np.indices(cut.shape)
    light = cut * (cut > 90)
    place = np.array([(columns * light).sum() / 96, (rows * light).sum() / 128]) / light.sum()
    assert to_image(place[None], region, 0.75)[0] == pytest.approx((170, 80), abs=0.8)
