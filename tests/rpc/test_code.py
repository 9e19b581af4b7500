from __future__ import annotations

import pytest

from dynconnect.rpc.code import Code

# As the checklist and the specifications write them: name, gRPC number, HTTP status of Connect unary.
TABLE = [
    ("canceled", 1, 499),
    ("unknown", 2, 500),
    ("invalid_argument", 3, 400),
    ("deadline_exceeded", 4, 504),
    ("not_found", 5, 404),
    ("already_exists", 6, 409),
    ("permission_denied", 7, 403),
    ("resource_exhausted", 8, 429),
    ("failed_precondition", 9, 400),
    ("aborted", 10, 409),
    ("out_of_range", 11, 400),
    ("unimplemented", 12, 501),
    ("internal", 13, 500),
    ("unavailable", 14, 503),
    ("data_loss", 15, 500),
    ("unauthenticated", 16, 401),
]


def test_x1_x7_there_are_sixteen_codes_with_three_spellings_each():
    assert [(code.value, code.number, code.http_status) for code in Code] == TABLE


@pytest.mark.parametrize("code", Code)
def test_a_member_is_found_by_each_of_its_names(code):
    assert Code[code.name] is Code(code.value) is Code.from_number(code.number) is code
    assert Code.from_name(code.value, Code.UNKNOWN) is code
    assert code.name == code.value.upper()


@pytest.mark.parametrize("number", [0, -1, 17, 2**40])
def test_x7_a_number_out_of_range_is_unknown(number):
    assert Code.from_number(number) is Code.UNKNOWN


@pytest.mark.parametrize("name", ["", "NOT_FOUND", "cancelled", "ok", "None"])
def test_a_name_that_connect_does_not_spell_is_what_the_caller_says(name):
    assert Code.from_name(name, Code.DATA_LOSS) is Code.DATA_LOSS


INVERSE = {
    400: "internal",
    401: "unauthenticated",
    403: "permission_denied",
    404: "unimplemented",
    429: "unavailable",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}


@pytest.mark.parametrize("status", [*range(100, 600), 800])
def test_x8_an_http_status_means_what_proxies_mean_by_it(status):
    assert Code.from_http_status(status).value == INVERSE.get(status, "unknown")
