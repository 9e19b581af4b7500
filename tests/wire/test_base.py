"""What every protocol offers, and what it remembers of that."""

from __future__ import annotations

from support.wire import offer


def test_names_are_listed_in_the_order_of_the_compressions():
    known = offer().compressions
    assert offer(compressions={name: known[name] for name in ("deflate", "gzip")}).names == "deflate, gzip"


def test_c3_an_offer_agrees_as_negotiation_does():
    ours = offer()
    assert ours.agree("gzip", "deflate, gzip") == (ours.compressions["gzip"], ours.compressions["deflate"])
    assert ours.agree("", None) == (None, None)


def test_accept_strings_that_clients_make_up_are_not_kept_for_ever():
    ours = offer()
    for number in range(1000):
        ours.agree("", f"made-up-{number}, gzip")
    kept = ours.agree.cache_info()
    assert kept.currsize <= kept.maxsize <= 64
