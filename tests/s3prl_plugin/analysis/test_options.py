"""The options of an analysis: its defaults, and what it says that each of them may be."""

import pytest

from s3prl_plugin import registry
from s3prl_plugin.analysis.defaults import analysis_defaults
from s3prl_plugin.analysis.options import Options
from s3prl_plugin.config import schema
from s3prl_plugin.errors import UserError

ANALYSES = sorted(registry.analyses())


def options(**given):
    return Options("cca", given, registry.expert("cca").types())


def test_what_is_not_given_is_the_packaged_default():
    assert options()["phone_tokens"] == 200
    assert options(phone_tokens=7 + 11)["phone_tokens"] == 18


@pytest.mark.parametrize("name", ANALYSES)
def test_every_option_says_what_it_may_be_and_its_default_is_that(name):
    types, defaults = registry.expert(name).types(), analysis_defaults(name)
    assert types.keys() == defaults.keys()
    for key, default in defaults.items():
        schema.check(key, types[key], default)
        assert schema.possible(schema.schema(types[key]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"phone_token": 3}, "unknown option 'phone_token' in downstream_expert; did you mean 'phone_tokens'"),
        ({"protocol": "mine"}, "downstream_expert.protocol: 'mine' is not possible; known: both, default, published"),
        ({"measures": ["cca_fone"]}, "measures: there is no 'cca_fone'; did you mean 'cca_phone'"),
        ({"measures": []}, r"measures: \[\] is not possible; give a list \(each cca_mel"),
        ({"measures": "cca_phone"}, "measures: 'cca_phone' is not possible; give a list"),
        ({"batch_size": 0}, "batch_size: 0 is not possible; give a whole number from 1 on, or null"),
        ({"batch_size": 2.5}, "batch_size: 2.5 is not possible; give a whole number"),
        ({"batch_size": True}, "batch_size: True is not possible; give a whole number"),
        ({"word_tokens": "ten"}, "word_tokens: 'ten' is not possible; give a whole number"),
        ({"memory_limit_gb": -1}, "memory_limit_gb: -1 is not possible; give a number above 0, or null"),
    ],
)
def test_mistakes_are_named(given, message):
    with pytest.raises(UserError, match=message) as raised:
        options(**given)
    assert "\n" not in str(raised.value)


def test_names_come_in_the_order_of_those_that_are_known():
    read = options(measures=["cca_word", "cca_mel"])
    assert read.chosen("measures", ["cca_mel", "cca_phone", "cca_word"]) == ["cca_mel", "cca_word"]
    assert read.chosen("protocol", ["published", "default"]) == ["default"]
