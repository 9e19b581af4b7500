"""Eliza: how she talks, and that her plugin fits her schema. No network in here."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import string
import sys
import time
from contextlib import aclosing
from pathlib import Path

import pytest
from support.protoc import compile_set

from dynconnect import Context, Metadata
from dynconnect.live.build import build

ELIZA = Path(__file__).parents[2] / "examples" / "eliza"


def load_plugin(name="eliza_under_test"):
    """Her package under a name of its own, whatever else is called eliza."""
    folder = ELIZA / "plugins" / "eliza"
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return importlib.import_module(f"{name}.doctor"), importlib.import_module(f"{name}.script")


doctor, script = load_plugin()


@pytest.fixture
def eliza():
    return doctor.Doctor()


def ask(sentence):
    """The first answer of a conversation that begins with *sentence*."""
    return doctor.Doctor().reply(sentence).text


def talk(eliza, *sentences):
    """All her answers."""
    return [eliza.reply(sentence).text for sentence in sentences]


# One sentence

ANSWERS = [
    pytest.param("Hello", "Hello. What is on your mind today?", id="a greeting"),
    pytest.param("I feel happy.", "When else do you feel happy?", id="a feeling"),
    pytest.param("I want to go home", "What would it give you to go home?", id="a wish to do"),
    pytest.param("I need some help", "Suppose you got some help. What then?", id="a wish to have"),
    pytest.param("I want you", "Suppose you got me. What then?", id="herself, at the end"),
    pytest.param(
        "Are you a doctor?", "Would it matter to you if I were a doctor?", id="a question about her"
    ),
    pytest.param(
        "You never listen to me!", "What makes you say that I never listen to you?", id="a reproach"
    ),
    pytest.param("You are my friend", "What gives you the impression that I am your friend?", id="both turn"),
    pytest.param("my cat is ill", "What does it mean to you, your cat?", id="a thing of one's own"),
    pytest.param("I lost my red scarf", "What does it mean to you, your red scarf?", id="one at the end"),
    pytest.param("computers scare me", 'You say "computers". Are you speaking of me?', id="her kind"),
    pytest.param("Why?", "What answer would please you most?", id="a bare question"),
    pytest.param("No", "Why not?", id="no"),
    pytest.param("flurp", "Please go on.", id="nothing that she knows"),
    pytest.param("nothing", "Please go on.", id="a word that only begins like one that she knows"),
]


@pytest.mark.parametrize(("sentence", "answer"), ANSWERS)
def test_she_turns_what_she_hears_into_a_question(sentence, answer):
    assert ask(sentence) == answer


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("I am sad because my mother left", "What comes to mind when you think of your mother?"),
        ("Hello, I am tired", "I am sorry to hear that you are tired. How long has it been so?"),
        ("Yes. If only it would rain!", "And what if it never comes to that?"),
        ("It rains but I remember the sun", "What makes you remember the sun just now?"),
    ],
)
def test_of_the_rules_that_fit_the_highest_rank_speaks_wherever_its_clause_is(sentence, answer):
    assert ask(sentence) == answer


@pytest.mark.parametrize(
    "sentence", ["I CAN'T SLEEP", "I can\u2019t  sleep.", "  i cannot sleep", "I can not sleep!"]
)
def test_case_blanks_apostrophes_and_contractions_make_no_difference(sentence):
    assert ask(sentence).lower() == "what keeps you from trying to sleep?"


def test_names_keep_their_capitals():
    assert ask("I remember Anna from Lisbon") == "What makes you remember Anna from Lisbon just now?"


@pytest.mark.parametrize("sentence", ["{0} {name} %s", "I need {9}", "I am \\1 {", "I feel \N{SNOWMAN}\0"])
def test_nothing_that_is_said_is_taken_for_markup(sentence):
    assert ask(sentence)


def test_the_words_of_the_speaker_stand_in_the_answer_as_they_are():
    assert ask("I need {9}") == "Suppose you got {9}. What then?"


REFLECTED = [
    ("my cat", "your cat"),
    ("I hurt myself", "you hurt yourself"),
    ("you are right", "I am right"),
    ("who you are", "who I am"),
    ("me and you", "you and me"),
    ("you", "me"),
    ("what you told me", "what I told you"),
    ("your book, not mine", "my book, not yours"),
    ("I was there", "you were there"),
    ("Maya", "Maya"),
    ("", ""),
]


@pytest.mark.parametrize(("part", "turned"), REFLECTED)
def test_pronouns_are_turned_round_once_and_only_as_whole_words(part, turned):
    assert doctor.reflect(part) == turned


CLAUSES = [
    ("One, two; three.", ["One", "two", "three"]),
    ("It is late but I stay", ["It is late", "I stay"]),
    ("a 3.5 and a well-known b - c", ["a 3.5 and a well-known b", "c"]),
    ("I'm here & don't mind", ["I am here & do not mind"]),
    ('"Quoted" (or so)!', ['Quoted" (or so']),
    ("?!...", []),
    (" \t\n", []),
]


@pytest.mark.parametrize(("sentence", "clauses"), CLAUSES)
def test_a_sentence_falls_into_clauses(sentence, clauses):
    assert doctor.tidy(sentence) == clauses


# A conversation


def test_the_answers_of_a_rule_take_turns(eliza):
    rule = next(rule for rule in script.RULES if rule.pattern == "* @machine *")
    found = talk(eliza, *(f"robots {number}" for number in range(len(rule.answers) + 1)))
    assert len(set(found)) == len(rule.answers)
    assert found[0] == found[-1]


def test_rules_take_their_turns_each_on_its_own(eliza):
    talk(eliza, "robots", "no")
    assert (
        talk(eliza, "robots again", "no, never mind")[1]
        == "Never? Think of the last time that it was otherwise."
    )
    assert talk(eliza, "no thanks") == ["No, or not yet?"]


def test_she_comes_back_to_what_was_said_once_nothing_fits_any_more(eliza):
    talk(eliza, "My father was a sailor", "I feel small")
    assert talk(eliza, "hm", "well", "so") == [
        "Earlier you spoke of your father. Does that have to do with this?",
        "A while ago you felt small. And now?",
        "Please go on.",
    ]


def test_she_remembers_the_latest_few_things_only(eliza):
    talk(eliza, *(f"I remember day {day}" for day in range(20)))
    found = talk(eliza, *(f"hm {number}" for number in range(doctor.REMEMBERS + 1)))
    assert "day 15" in found[0]
    assert found[-1] == "Please go on."


def test_she_notices_when_something_is_said_twice_in_a_row(eliza):
    first, again, other, later = talk(eliza, "I am bored", "i am  bored!", "no", "I am bored")
    assert again == "You said that just now. What is behind it?"
    assert first != later != again
    assert other == "Why not?"


def test_silence_is_answered_too(eliza):
    assert talk(eliza, "", "  ", "...") == list(script.SILENCES)


def test_two_conversations_know_nothing_of_each_other():
    one, other = doctor.Doctor(), doctor.Doctor()
    talk(one, "I remember the sea")
    assert talk(other, "hm") == ["Please go on."]
    assert talk(one, "hm") != ["Please go on."]


def test_a_conversation_may_begin_with_other_answers():
    assert [doctor.Doctor(turn).reply("no").text for turn in (0, 1, 3)] == [
        "Why not?",
        "No, or not yet?",
        "Why not?",
    ]


FAREWELLS = ["bye", "Goodbye!", "Thanks, bye.", "good  bye Eliza", "See you tomorrow", "quit", "EXIT"]


@pytest.mark.parametrize("sentence", FAREWELLS)
def test_a_goodbye_ends_the_conversation(eliza, sentence):
    reply = eliza.reply(sentence)
    assert reply.farewell
    assert reply.text in script.FAREWELLS


@pytest.mark.parametrize("sentence", ["I quit my job", "I never said goodbye to him", "byebye blackbird", ""])
def test_what_only_sounds_like_a_goodbye_does_not(eliza, sentence):
    assert not eliza.reply(sentence).farewell


def test_she_introduces_herself_in_several_sentences():
    lines = list(doctor.introduction("  Anna  Maria "))
    assert lines[0] == "Hello, Anna Maria. I am Eliza."
    assert len(lines) > 2


@pytest.mark.parametrize("name", ["", "  "])
def test_she_introduces_herself_to_nobody_in_particular(name):
    assert next(doctor.introduction(name)) == "Hello. I am Eliza."


def test_long_speeches_are_heard_as_far_as_she_listens():
    begin = time.process_time()
    for noise in ("you ", "my my ", "i i ", "a", " ", "I am ", "you i me ", "if because "):
        ask(noise * 100_000)
    assert time.process_time() - begin < 2
    assert ask("I feel " + "x" * 10_000).count("x") < doctor.LISTENS_TO


# The script itself


@pytest.mark.parametrize("rule", script.RULES, ids=lambda rule: rule.pattern)
def test_every_answer_of_the_script_uses_parts_that_its_pattern_has(rule):
    pattern = next(pattern for known, pattern in doctor._RULES if known is rule)
    for answer in rule.answers + rule.memories:
        used = {int(field) for _, field, _, _ in string.Formatter().parse(answer) if field is not None}
        assert used <= set(range(pattern.groups)), answer


def example_of(piece):
    """Words that *piece* of a pattern stands for."""
    if piece.startswith("@"):
        return script.FAMILIES[piece[1:]].split()[0]
    return {"*": "", "+": "xyz"}.get(piece, piece)


@pytest.mark.parametrize("rule", script.RULES, ids=lambda rule: rule.pattern)
def test_every_rule_of_the_script_gets_to_speak(rule):
    example = " ".join(map(example_of, rule.pattern.split()))
    found = doctor.decompose(doctor.tidy(example))
    assert found is not None
    assert found[0] is rule


def test_every_rule_has_answers_to_vary_and_no_two_have_the_same_pattern():
    assert all(len(set(rule.answers)) == len(rule.answers) >= 2 for rule in script.RULES)
    patterns = [rule.pattern for rule in script.RULES]
    assert len(set(patterns)) == len(patterns)


def test_tables_are_in_lower_case_as_they_are_looked_up():
    for table in (script.CONTRACTIONS, script.REFLECTIONS, script.GOODBYES, *script.FAMILIES.values()):
        assert all(word == word.lower() for word in table)


# The plugin in its schema


@pytest.fixture(scope="module")
def generation():
    found = build([str(ELIZA / "eliza.binpb")], [str(ELIZA / "plugins")])
    yield found
    found.close()


def call(generation, name, *requests):
    """Every response of the RPC *name* to *requests*, as text."""
    route = generation.routes[f"/connectrpc.eliza.v1.ElizaService/{name}"]

    async def messages():
        for request in requests:
            yield route.method.input(**request)

    async def run():
        async with aclosing(
            route.stream(messages(), Context(route.method, "connect", Metadata()))
        ) as responses:
            return [response.sentence async for response in responses]

    return asyncio.run(run())


def test_every_method_is_bound(generation):
    assert [path for path, route in generation.routes.items() if route.bound_by is None] == []


def test_the_compiled_schema_is_that_of_the_text():
    compiled = compile_set({"eliza.proto": (ELIZA / "eliza.proto").read_text(encoding="utf-8")})
    assert (ELIZA / "eliza.binpb").read_bytes() == compiled


def test_say_answers_the_same_to_the_same_sentence_and_varies_between_sentences(generation):
    sentences = [f"robots number {number}" for number in range(20)]
    answers = [call(generation, "Say", {"sentence": sentence}) for sentence in sentences]
    assert answers == [call(generation, "Say", {"sentence": sentence}) for sentence in sentences]
    assert len({answer for (answer,) in answers}) == 3


def test_say_has_no_side_effects_by_its_schema(generation):
    methods = {route.method.name: route.method.no_side_effects for route in generation.routes.values()}
    assert methods == {"Say": True, "Converse": False, "Introduce": False}


def test_converse_remembers_and_ends_with_the_goodbye(generation):
    said = ["My sister sings", "hm", "bye", "are you still there?"]
    answers = call(generation, "Converse", *({"sentence": sentence} for sentence in said))
    assert answers == [
        "What comes to mind when you think of your sister?",
        "Earlier you spoke of your sister. Does that have to do with this?",
        "Goodbye. It was good to talk to you.",
    ]


def test_introduce_speaks_to_whoever_gives_a_name(generation):
    assert call(generation, "Introduce", {"name": "Ada"})[0] == "Hello, Ada. I am Eliza."
    assert call(generation, "Introduce", {}) == list(doctor.introduction(""))


@pytest.mark.parametrize("protocol", ["connect", "grpc", "grpcweb"])
async def test_she_talks_over_each_protocol(dynconnect, protocol):
    service = "connectrpc.eliza.v1.ElizaService"
    files = str(ELIZA / "eliza.binpb"), str(ELIZA / "plugins")
    async with dynconnect(*files) as server, server.client(protocol) as client:
        said = await client.call(f"{service}/Say", {"sentence": "I feel happy."})
        assert said.sentence == "When else do you feel happy?"
        talk = await client.stream(f"{service}/Converse", [{"sentence": "Hello"}, {"sentence": "Goodbye"}])
        assert len([answer async for answer in talk]) == 2
