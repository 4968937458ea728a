"""Which videos a data set has, and the lists that name them."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np

from cfvideo.demo_data.lists import list_files
from cfvideo.demo_data.motions import MOTIONS
from cfvideo.demo_data.plan import FINE_LABELS, FINE_TEST, FINE_TRAIN, MOTIONS_VAL, PRE, SIZES, Size, Video, plan
from cfvideo.demo_data.weak_tags import TagNoise

SIZE = Size(num_pre=200, train_per_class=4, val_per_class=2, train_per_label=20, test_per_label=5)
VIDEOS = plan(SIZE, 7, TagNoise())


def split(number: int) -> list[Video]:
    return [video for video in VIDEOS if video.split == number]


def test_counts_and_places() -> None:
    assert len(VIDEOS) == len({video.path for video in VIDEOS}) == len({video.key for video in VIDEOS})
    assert Counter(video.path.split("/videos/")[0].rsplit("/", 1)[0] for video in VIDEOS if video.split not in
                   (PRE, FINE_TRAIN, FINE_TEST)) == {**{f"motions/train/{motion}": 4 for motion in MOTIONS},
                                                     **{f"motions/val/{motion}": 2 for motion in MOTIONS}}
    assert len(split(PRE)) == 200
    assert len(split(FINE_TRAIN)) == 320
    for smaller, larger in (("small", "demo"), ("demo", "large")):
        assert all(SIZES[smaller].__dict__[key] < value for key, value in SIZES[larger].__dict__.items()
                   if key not in ("edge_px", "num_frames"))


def test_the_motion_target_shows_both_variants_of_its_class() -> None:
    assert Counter(video.actions[0] for video in split(MOTIONS_VAL)) == dict.fromkeys(FINE_LABELS, 1)
    assert all(video.path.split("/")[2] == video.actions[0][0] for video in split(MOTIONS_VAL))


def test_some_fine_videos_have_two_different_labels() -> None:
    pairs = [video.actions for video in split(FINE_TRAIN) if len(video.actions) == 2]
    assert 10 <= len(pairs) <= 60
    assert all(first != second for first, second in pairs)


def test_only_the_tagged_collection_has_tags() -> None:
    assert all(bool(video.tags) == (video.split == PRE) for video in VIDEOS)


def test_seed_and_size_change_what_they_should() -> None:
    assert plan(SIZE, 7, TagNoise()) == VIDEOS
    other = plan(SIZE, 8, TagNoise())
    assert [video.actions for video in other] != [video.actions for video in VIDEOS]
    longer = plan(Size(300, 4, 2, 20, 5), 7, TagNoise())
    assert longer[:200] == VIDEOS[:200]
    louder = plan(SIZE, 7, TagNoise(wrong=0.7))
    assert [video.actions for video in louder] == [video.actions for video in VIDEOS]


def test_each_purpose_has_chances_of_its_own() -> None:
    video = VIDEOS[0]
    assert video.rng(1).uniform() == video.rng(1).uniform()
    assert len({video.rng(0).uniform(), video.rng(1).uniform(), VIDEOS[1].rng(0).uniform()}) == 3


def test_lists_say_what_the_plan_says() -> None:
    texts = list_files(VIDEOS, np.arange(10))
    tags = [json.loads(line) for line in texts["d_pre/tags.jsonl"].splitlines()]
    assert [f"d_pre/{line['path']}" for line in tags] == [video.path for video in split(PRE)]
    assert [tuple(line["tags"]) for line in tags] == [video.tags for video in split(PRE)]
    truth = [line.split(",") for line in texts["d_pre/truth.csv"].splitlines()]
    assert truth[0] == ["path", "motion", "variant", "digit"]
    assert [tuple(row[1:3]) for row in truth[1:]] == [video.actions[0] for video in split(PRE)]
    assert truth[1][3] == str(split(PRE)[0].digit_rows(10)[0])
    labels = [tuple(line.split()) for line in texts["fine/labels.txt"].splitlines()]
    for video, line in zip(split(FINE_TRAIN), texts["fine/train_partition.txt"].splitlines(), strict=True):
        path, numbers = line.split(" ")
        assert f"fine/{path}" == video.path
        assert tuple(labels[int(number)] for number in numbers.split(",")) == video.actions
    assert len(texts["fine/test_partition.txt"].splitlines()) == len(split(FINE_TEST))
