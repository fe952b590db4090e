import pytest

from s3prl_plugin.analysis.options import Options
from s3prl_plugin.errors import UserError


def options(**given):
    return Options("cca", given)


def test_what_is_not_given_is_the_packaged_default():
    assert options()["phone_tokens"] == 200
    assert options(phone_tokens=7)["phone_tokens"] == 7


@pytest.mark.parametrize(
    ("given", "call", "message"),
    [
        ({"phone_token": 3}, None, "unknown option 'phone_token' in downstream_expert; did you mean 'phone_tokens'"),
        ({"protocol": "mine"}, ("choice", ["default", "both"]), "protocol is 'mine'; it must be one of default, both"),
        (
            {"measures": ["cca_fone"]},
            ("choices", ["cca_phone", "cca_mel"]),
            "there is no 'cca_fone'; did you mean 'cca_phone'",
        ),
        ({"measures": []}, ("choices", ["cca_phone"]), r"measures is \[\]; it must be a list of some of cca_phone"),
        ({"measures": "cca_phone"}, ("choices", ["cca_phone"]), "measures is 'cca_phone'; it must be a list"),
        ({"batch_size": 0}, ("integer", 1), "batch_size is 0; it must be a whole number of at least 1"),
        ({"batch_size": 2.5}, ("integer", 1), "batch_size is 2.5; it must be a whole number"),
        ({"batch_size": True}, ("integer", 1), "batch_size is True; it must be a whole number"),
        ({"word_tokens": "ten"}, ("limit", 1), "word_tokens is 'ten'; it must be a whole number"),
        ({"memory_limit_gb": -1}, ("positive",), "memory_limit_gb is -1; it must be a number above 0"),
    ],
)
def test_mistakes_are_named(given, call, message):
    key = next(iter(given))
    with pytest.raises(UserError, match=message) as raised:  # noqa: PT012
        read = options(**given)
        getattr(read, call[0])(key, *call[1:])
    assert "\n" not in str(raised.value)


def test_values_come_as_they_are_meant():
    read = options(measures=["cca_word", "cca_mel"], word_tokens=None, memory_limit_gb=2)
    assert read.choices("measures", ["cca_mel", "cca_phone", "cca_word"]) == ["cca_mel", "cca_word"]
    assert read.limit("word_tokens") is None
    assert read.positive("memory_limit_gb") == 2.0
