"""Objects by name, by config and as they are; and what is said where none of these fits."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
from keras.src.utils.naming import to_snake_case

from rnn_core.serialization import resolve, serialize, snake_case, suggestion


class Shape:
    """A base class."""


class Circle(Shape):
    def __init__(self, radius=1.0):
        self.radius = radius

    def get_config(self):
        return {"radius": self.radius}


READY = Circle(7.0)
TABLE = {"Circle": Circle, "circle": Circle, "unit_circle": Circle, "wheel": READY}


def get(identifier):
    return resolve("shape", identifier, TABLE, Shape)


def test_by_name_by_class_and_as_it_is():
    mine = Circle(3.0)
    assert get(mine) is mine
    assert get("wheel") is READY
    for identifier in ("circle", "Circle", "UnitCircle", Circle):
        assert type(get(identifier)) is Circle
        assert get(identifier).radius == 1.0
    assert get("circle") is not get("circle")


@pytest.mark.parametrize("config", [{}, None, {"radius": 2.0}])
def test_by_config(config):
    made = get({"class_name": "Circle", "config": config})
    assert made.radius == (config or {}).get("radius", 1.0)
    assert get({"class_name": "Circle"}).radius == 1.0


def test_a_function_of_keras_is_its_name():
    written = {"module": "builtins", "class_name": "function", "config": "wheel", "registered_name": "function"}
    assert get(written) is READY


@given(st.floats(allow_nan=False))
def test_round_trip(radius):
    assert get(serialize(Circle(radius), "keras.shapes")).radius == radius


def test_serialize_writes_keras_keys():
    assert serialize(Circle(2.0), "keras.shapes") == {
        "module": "keras.shapes",
        "class_name": "Circle",
        "config": {"radius": 2.0},
        "registered_name": None,
    }


def test_resolving_leaves_the_config_as_it_was():
    identifier = {"class_name": "Circle", "config": {"radius": 2.0}}
    get(identifier)
    assert identifier == {"class_name": "Circle", "config": {"radius": 2.0}}


@pytest.mark.parametrize("name", ["cirle", "Circl", "CIRCLES"])
def test_an_unknown_name_gets_the_nearest_known_one(name):
    with pytest.raises(ValueError, match=rf"Unknown shape '{name}'\. Did you mean '[Cc]ircle'\?"):
        get(name)


def test_a_name_like_no_other_gets_the_whole_list():
    with pytest.raises(ValueError, match=r"Unknown shape 'xyz'\. Known: Circle, circle, unit_circle, wheel\."):
        get("xyz")
    with pytest.raises(ValueError, match=r"Unknown shape ''\. Known: Circle, circle, unit_circle, wheel\."):
        get("")
    assert suggestion("a", []) == " Known: ."


def test_a_dict_that_is_no_config_is_refused():
    with pytest.raises(
        ValueError, match=r"shape given as a dict needs the keys 'class_name' and 'config', got \['r'\]"
    ):
        get({"r": 1})


@pytest.mark.parametrize("config", [[1.0], "radius", 3])
def test_a_config_that_is_no_dict_is_refused(config):
    with pytest.raises((ValueError, TypeError), match="shape: 'config' of 'Circle' must be a dict, got"):
        get({"class_name": "Circle", "config": config})


def test_arguments_for_a_ready_object_are_refused_not_ignored():
    with pytest.raises((ValueError, TypeError), match="shape 'wheel' takes no arguments, got"):
        get({"class_name": "wheel", "config": {"radius": 2.0}})


def test_unknown_arguments_are_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'size'"):
        get({"class_name": "Circle", "config": {"size": 2.0}})


@pytest.mark.parametrize("identifier", [3, 1.5, ["circle"], dict, print, {"class_name": 3}])
def test_what_is_none_of_these_is_refused(identifier):
    with pytest.raises(TypeError, match=r"shape must be a name, a config or a .*\.Shape, got"):
        get(identifier)


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,12}", fullmatch=True))
def test_snake_case_is_keras(name):
    assert snake_case(name) == to_snake_case(name)


def test_an_abstract_name_of_many_words():
    for name in ("SimpleRNN", "L1L2", "GlorotUniform", "TimeDistributed", "LSTM", "MinMaxNorm"):
        assert snake_case(name) == to_snake_case(name)
