"""A class that is told by what an item does not show is found, named and judged by its kind."""

import numpy as np
from PIL import Image

from headstart.audit import Property, properties, told_by_properties
from headstart.data import Dataset, Sound
from tests.conftest import make_image
from tests.data.sounds import noise, write_sound

Y = np.repeat([0, 1, 2], 40)
UNITS = np.arange(120)


def features(sure: float = 0.9) -> np.ndarray:
    """A probe that tells the classes, now and then wrongly."""
    p = np.full((120, 3), (1 - sure) / 2)
    p[np.arange(120), np.where(np.arange(120) % 10, Y, (Y + 1) % 3)] = sure
    return p


def leaks(*found: Property, y: np.ndarray = Y, units: np.ndarray = UNITS):
    return told_by_properties(found, y, features(), units=units, n_classes=3, seed=0)


def test_a_border_that_marks_one_class_is_a_leak_and_is_named():
    rng = np.random.default_rng(0)
    marks = np.where(Y == 2, 1.0, rng.uniform(0, 0.3, 120))
    noise_of = Property("width", rng.normal(size=120), "made")
    (found,) = leaks(noise_of, Property("border of one colour", marks, "made"))
    assert found.alarm
    assert found.beyond_chance
    assert (found.label, found.by) == (2, "border of one colour")
    assert found.area > 0.95 > found.permuted


def test_a_middle_value_that_marks_a_class_is_found_though_it_does_not_rise():
    rng = np.random.default_rng(0)
    side = np.where(rng.uniform(size=120) < 0.5, -1.0, 1.0)
    values = np.where(Y == 1, 0.0, side) + 0.1 * rng.normal(size=120)
    (found,) = leaks(Property("height", values, "made"))
    assert found.alarm
    assert found.label == 1


def test_chance_is_no_leak():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        (found,) = leaks(Property("width", rng.normal(size=120), "made"))
        assert not found.alarm


def test_what_follows_from_what_is_shown_must_tell_all_classes():
    rng = np.random.default_rng(0)
    one = Property("bytes per pixel", np.where(Y == 2, 1.0, rng.uniform(0, 0.3, 120)), "shown")
    (found,) = leaks(one)
    assert found.worth_saying
    assert not found.alarm, "a written 1 has less ink"
    (found,) = leaks(Property("bytes per pixel", Y + 0.1 * rng.normal(size=120), "shown"))
    assert found.alarm


def test_what_stands_behind_an_item_is_never_an_alarm():
    (found,) = leaks(Property("name pattern", np.array([f"system {y}" for y in Y]), "behind"))
    assert found.worth_saying
    assert not found.alarm


def test_each_kind_is_judged_alone_and_groups_stay_together():
    by_patient = np.repeat(np.random.default_rng(0).normal(size=40), 3)  # a scanner setting per patient
    width, camera = Property("width", by_patient, "made"), Property("camera", np.array(["a", "b"] * 60), "behind")
    both = leaks(width, camera, units=np.repeat(np.arange(40), 3))
    assert [each.kind for each in both] == ["made", "behind"]
    assert not both[0].alarm
    assert leaks(width, units=np.repeat(np.arange(12), 10)) == [], "four patients of a class show nothing"


def test_too_few_members_or_no_property_say_nothing():
    assert leaks() == []
    few = np.repeat(np.arange(12), 10)
    assert told_by_properties([Property("width", np.arange(120.0), "made")], few, np.full((120, 12), 1 / 12),
                              units=UNITS, n_classes=12, seed=0) == []  # fmt: skip


def test_properties_of_pictures(tmp_path):
    items = []
    for i in range(4):
        image = make_image((120, 90, 90), seed=i, size=(20 + 4 * i, 16))
        if i % 2:
            framed = Image.new("RGB", (image.width + 8, image.height + 8), (128, 128, 128))
            framed.paste(image, (4, 4))
            image = framed
        exif = Image.Exif()
        exif[0x0110] = f"Scanner {i % 2}"
        path = tmp_path / f"cat_{i}.{'png' if i else 'jpeg'}"
        image.save(path, exif=exif)
        items.append(path)
    found = {each.name: each for each in properties(Dataset("image", tuple(items), ("",) * 4, ("cat",) * 4))}
    assert found["border of one colour"].values[1] == 1.0
    assert found["border of one colour"].values[2] < 0.5
    assert found["camera"].values.tolist() == ["Scanner 0", "Scanner 1"] * 2
    assert found["camera"].kind == "behind"
    assert found["file format"].values.tolist() == ["JPEG", "PNG", "PNG", "PNG"]
    assert found["width"].kind == "made"
    assert found["bytes per pixel"].kind == "shown"
    assert "name pattern" not in found, "only label and number differ"
    assert "pixel format" not in found, "all alike"


def test_properties_of_texts_and_sounds(tmp_path):
    texts = Dataset("text", ("Short", "Somewhat longer, é 12"), ("a", "b"), ("x", "y"))
    found = {each.name: each for each in properties(texts)}
    assert {"characters", "signs beyond ASCII", "digits", "punctuation"} <= set(found)
    paths = [
        write_sound(tmp_path / f"{i}.wav", (1 + i) * noise(0.2 + i / 10, seed=i), 8000 * (1 + i)) for i in range(2)
    ]
    sounds = Dataset("audio", (*paths, Sound(noise(), 16_000)), ("a", "b", "c"), ("x", "y", "x"))
    found = {each.name: each for each in properties(sounds)}
    assert found["sample rate"].values.tolist() == ["8000", "16000", "16000"]
    assert {"seconds", "peak level"} <= set(found)


def test_a_picture_in_memory_has_no_file():
    items = (make_image((9, 9, 9), seed=1), make_image((99, 9, 9), seed=2, size=(30, 16)))
    found = {each.name for each in properties(Dataset("image", items, ("", ""), ("x", "y")))}
    assert "width" in found
    assert "bytes per pixel" not in found
