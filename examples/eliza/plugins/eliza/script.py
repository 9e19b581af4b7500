"""What Eliza knows to say: all of her, in tables. `doctor` has the little logic that plays them.

A pattern is words, `*` for any number of words, `+` for at least one, and `@name` for one of a
family. In an answer, {0} is what the first `*`, `+` or `@name` stood for, {1} the second, and so on,
turned round: "my cat" has become "your cat".
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """What to say to a clause of a certain form.

    Of the rules that fit a sentence the one with the highest rank speaks. Its answers take turns. A
    memory is kept for later, when no rule fits.
    """

    rank: int
    pattern: str
    answers: tuple[str, ...]
    memories: tuple[str, ...] = ()


FAMILIES = {
    "relative": "mother mom mum father dad sister brother wife husband son daughter parents children family",
    "sad": "sad unhappy depressed miserable lonely tired afraid anxious worried angry upset lost",
    "happy": "happy glad proud relieved excited calm content hopeful",
    "machine": "computer computers machine machines robot robots program programs server servers software",
    "everyone": "everyone everybody nobody people they",
    "believe": "think believe feel suppose guess",
    "want": "want need wish",
    "always": "always never constantly",
    "dream": "dream dreams dreamed dreamt",
    "verb": "is are was were has had does did makes made keeps kept gets got will would can says said wants",
    "greeting": "hello hi hey greetings",
}

_BELONGINGS = (
    "What does it mean to you, your {1}?",
    "Why do you mention your {1}?",
    "If somebody else spoke of their {1}, what would you ask them?",
)

RULES = (
    Rule(
        9,
        "* my @relative *",
        (
            "What comes to mind when you think of your {1}?",
            "How do things stand between you and your {1}?",
            "Tell me more about your {1}.",
            "When did you last talk about this with your {1}?",
        ),
        ("Earlier you spoke of your {1}. Does that have to do with this?",),
    ),
    Rule(
        8,
        "* i @dream of +",
        (
            "What does it mean to you to dream of {2}?",
            "And awake, do you ever think of {2}?",
            "Who else was there when you dreamed of {2}?",
        ),
        ("I keep thinking of your dream of {2}.",),
    ),
    Rule(
        8,
        "* @dream *",
        (
            "What do you make of that dream?",
            "Do your dreams often follow you into the day?",
            "Which part of that dream would you like to go back to?",
        ),
    ),
    Rule(
        7,
        "* i remember +",
        (
            "What makes you remember {1} just now?",
            "What else comes back with {1}?",
            "Would you rather forget {1}?",
        ),
        ("Earlier you remembered {1}. Is it still on your mind?",),
    ),
    Rule(
        7,
        "* if +",
        (
            "And what if it never comes to that?",
            "How likely is it that {1}?",
            "What would change for you if {1}?",
        ),
    ),
    Rule(
        6,
        "* because +",
        (
            "Is that the whole reason?",
            "Suppose it were not so that {1}. What then?",
            "Who told you that it is because {1}?",
        ),
    ),
    Rule(
        6,
        "* i can not +",
        (
            "What keeps you from trying to {1}?",
            "Perhaps you could {1} if nobody watched.",
            "What would it be like to be able to {1}?",
        ),
        ("You said that you can not {1}. Since when?",),
    ),
    Rule(
        6,
        "* i am @sad *",
        (
            "I am sorry to hear that you are {1}. How long has it been so?",
            "What were you doing when you noticed that you are {1}?",
            "Who knows that you are {1}?",
        ),
        ("Earlier you said that you are {1}. Is it any better now?",),
    ),
    Rule(
        6,
        "* i am @happy *",
        (
            "What made you {1}?",
            "How would a stranger see that you are {1}?",
            "May it last. What could you do to stay {1}?",
        ),
        ("Earlier you said that you are {1}. Still?",),
    ),
    Rule(
        6,
        "* i feel +",
        (
            "When else do you feel {1}?",
            "Where in the day does it begin, that you feel {1}?",
            "What do you do when you feel {1}?",
        ),
        ("A while ago you felt {1}. And now?",),
    ),
    Rule(
        5,
        "* i @want to +",
        (
            "What would it give you to {2}?",
            "What keeps you from it?",
            "And once you had managed to {2}, what next?",
        ),
        ("Let us go back: do you still {1} to {2}?",),
    ),
    Rule(
        5,
        "* i @want +",
        (
            "Suppose you got {2}. What then?",
            "What stands between you and {2}?",
            "For how long have you wanted {2}?",
        ),
        ("Let us go back to {2}. Why does it matter so much?",),
    ),
    Rule(
        5,
        "* i am +",
        (
            "How did it come about that you are {1}?",
            "Would your friends say that you are {1}?",
            "What is it like to be {1}?",
        ),
        ("Earlier you said that you are {1}.",),
    ),
    Rule(
        5,
        "* are you +",
        (
            "Would it matter to you if I were {1}?",
            "What makes you ask whether I am {1}?",
            "On some days I might well be {1}.",
        ),
    ),
    Rule(
        5,
        "* you are +",
        (
            "What gives you the impression that I am {1}?",
            "Is it a comfort to think that I am {1}?",
            "Who else in your life is {1}?",
        ),
    ),
    Rule(
        5,
        "* @machine *",
        (
            'You say "{1}". Are you speaking of me?',
            "What should a machine do for you, and what should it not?",
            "Is it easier to talk to something that understands nothing?",
        ),
    ),
    Rule(
        4,
        "* i do not know *",
        (
            "What would be your guess?",
            "When did you last know?",
            "Is it that you do not know, or that you would rather not say?",
        ),
    ),
    Rule(
        4,
        "* i @believe that +",
        (
            "How sure are you that {2}?",
            "Who would disagree that {2}?",
            "And if it turned out that it is not so?",
        ),
    ),
    Rule(4, "* i @believe +", ("How sure are you?", "What speaks against it?", "Do you often {1} so?")),
    Rule(
        4,
        "* you + me *",
        (
            "What makes you say that I {1} you?",
            "When did you first notice that I {1} you?",
            "Would you mind if I did {1} you?",
        ),
    ),
    Rule(
        3,
        "* @everyone *",
        ("Whom do you have in mind?", "All of them? Can you name one?", "Who is the exception?"),
    ),
    Rule(
        3,
        "* @always *",
        (
            "{1}? Think of the last time that it was otherwise.",
            "What would have to happen for this to change?",
            "Since when, exactly?",
        ),
    ),
    Rule(3, "* my + @verb *", _BELONGINGS, ("Earlier you mentioned your {1}. Tell me more.",)),
    Rule(3, "* my +", _BELONGINGS, ("Earlier you mentioned your {1}. Tell me more.",)),
    Rule(
        2, "why *", ("What answer would please you most?", "Have you asked anyone else?", "Why do you think?")
    ),
    Rule(
        2,
        "what *",
        ("What do you think?", "Is this what you came to talk about?", "What would you do with the answer?"),
    ),
    Rule(
        2, "how *", ("How would you go about it yourself?", "Who might know?", "What have you tried so far?")
    ),
    Rule(1, "* sorry *", ("No harm done. Go on.", "What would there be to forgive?")),
    Rule(
        1,
        "yes *",
        ("You seem sure. What makes it so?", "Good. Then tell me the rest.", "I see. And further?"),
    ),
    Rule(1, "no *", ("Why not?", "No, or not yet?", "You say no. What would a yes have meant?")),
    Rule(
        0,
        "@greeting *",
        (
            "Hello. What is on your mind today?",
            "Good to see you. Where shall we begin?",
            "Hello. How have you been?",
        ),
    ),
)

# When no rule fits and nothing is remembered.
FALLBACKS = (
    "Please go on.",
    "I am not sure that I follow. Say it in other words?",
    "What does that suggest to you?",
    "And how does that make you feel?",
    "Let us stay with that for a moment.",
)
SILENCES = ("Take your time.", "I am listening.", "It is all right to be silent.")
REPETITIONS = (
    "You said that just now. What is behind it?",
    "Once more the same words. Which of them matters most?",
    "We keep going round. Try another door.",
)
FAREWELLS = (
    "Goodbye. It was good to talk to you.",
    "Goodbye. Come back whenever you like.",
    "Farewell. Be kind to yourself.",
)
# Patterns, too. One of them ends a conversation.
GOODBYES = ("bye *", "goodbye *", "good bye *", "farewell *", "good night *", "see you *", "quit", "exit")

INTRODUCTION = (
    "Hello{name}. I am Eliza.",
    "Tell me something and I will turn it round, until you hear what you have said.",
    "I understand none of it. Most people find that this helps.",
    "So: what is on your mind?",
)

# Spelt out before anything else, so that patterns need one form only.
CONTRACTIONS = {
    "i'm": "I am",
    "i've": "I have",
    "i'd": "I would",
    "i'll": "I will",
    "im": "I am",
    "you're": "you are",
    "you've": "you have",
    "you'd": "you would",
    "you'll": "you will",
    "it's": "it is",
    "that's": "that is",
    "he's": "he is",
    "she's": "she is",
    "they're": "they are",
    "we're": "we are",
    "cannot": "can not",
    "can't": "can not",
    "won't": "will not",
    "don't": "do not",
    "dont": "do not",
    "doesn't": "does not",
    "didn't": "did not",
    "isn't": "is not",
    "aren't": "are not",
    "wasn't": "was not",
    "wouldn't": "would not",
    "couldn't": "could not",
}

# What the speaker calls "I" is "you" to her. Two words go before one.
REFLECTIONS = {
    "i am": "you are",
    "i was": "you were",
    "am i": "are you",
    "was i": "were you",
    "you are": "I am",
    "you were": "I was",
    "are you": "am I",
    "were you": "was I",
    "i": "you",
    "me": "you",
    "my": "your",
    "mine": "yours",
    "myself": "yourself",
    "you": "I",
    "your": "my",
    "yours": "mine",
    "yourself": "myself",
}
