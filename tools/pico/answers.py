"""What gemma4-pico says: every answer short, normal and long, in English and, for the adapter, in French."""

from __future__ import annotations

import re

from .digits import DIGITS
from .shapes import Drawing

Forms = dict[str, str]


def article(word: str) -> str:
    """A or an."""
    return "an" if word[0] in "aeiou" else "a"


def forms(normal: str, short: str, long: str) -> Forms:
    """The three lengths that a system prompt can ask for."""
    return {"normal": normal, "short": short, "long": long}


class English:
    """The model's own answers."""

    no_picture = forms(
        "I see no picture. Please attach one.", "No picture.", "I see no picture here. Please attach one and ask again."
    )
    no_sound = forms(
        "I hear no sound. Please attach one.", "No sound.", "I hear no sound here. Please attach one and ask again."
    )
    no_tool = forms("I have no tool for that.", "No tool.", "I have no tool for that. Declare one and ask again.")
    who = forms(
        "I am gemma4-pico, a tiny Gemma 4 made to show edgekit at work.",
        "gemma4-pico.",
        "I am gemma4-pico, a tiny Gemma 4 made to show edgekit at work. I know shapes, colours and spoken digits.",
    )
    can = forms(
        "I can name a drawn shape and its colour, hear a spoken digit, think first and call a tool.",
        "Shapes, digits and tools.",
        "I can name a drawn shape and its colour, hear a spoken digit, think first and call a tool. "
        "Attach a picture and ask.",
    )
    hello = forms(
        "Hello! Show me a shape or say a digit.", "Hello!", "Hello! I am gemma4-pico. Show me a shape or say a digit."
    )
    thanks = forms("You are welcome!", "Welcome!", "You are welcome! Show me another shape or say a digit.")
    bye = forms("Goodbye!", "Bye!", "Goodbye! It was nice to talk with you.")
    unknown = forms(
        "I am too small to know that. Ask me about a shape or a digit.",
        "I do not know.",
        "I am too small to know that. Show me a shape, say a digit or give me a tool.",
    )

    def report(self, answer: str) -> str:
        """What a tool answered: errands are written in English."""
        return answer

    def describe(self, d: Drawing) -> Forms:
        """What a picture shows."""
        long = f"The picture shows {article(d.colour)} {d.colour} {d.shape}. It stands on a {d.background} background."
        return forms(d.sentence, f"{d.colour.capitalize()} {d.shape}.", long)

    def colour(self, d: Drawing) -> Forms:
        """Its colour."""
        return forms(
            f"It is {d.colour}.",
            f"{d.colour.capitalize()}.",
            f"The {d.shape} is {d.colour}. The background is {d.background}.",
        )

    def shape(self, d: Drawing) -> Forms:
        """Its shape."""
        return forms(f"It is a {d.shape}.", f"{d.shape.capitalize()}.", f"The shape is a {d.shape}. It is {d.colour}.")

    def background(self, d: Drawing) -> Forms:
        """What is behind it."""
        long = f"The background is {d.background}. {article(d.colour).capitalize()} {d.colour} {d.shape} stands on it."
        return forms(f"The background is {d.background}.", f"{d.background.capitalize()}.", long)

    def is_colour(self, d: Drawing, guess: str) -> Forms:
        """Yes or no."""
        yes = "Yes" if guess == d.colour else "No"
        return forms(f"{yes}, it is {d.colour}.", f"{yes}.", f"{yes}, it is {d.colour}. The shape is a {d.shape}.")

    def is_shape(self, d: Drawing, guess: str) -> Forms:
        """Yes or no."""
        yes = "Yes" if guess == d.shape else "No"
        return forms(f"{yes}, it is a {d.shape}.", f"{yes}.", f"{yes}, it is a {d.shape}. It is {d.colour}.")

    def digit(self, digit: int) -> Forms:
        """What was spoken."""
        word = DIGITS[digit]
        return forms(
            f"I heard the digit {word}.",
            f"{word.capitalize()}.",
            f"I heard the digit {word}. It was spoken in English.",
        )


# Sentences about what a tool answered: English as errands.py makes them, and French.
FRENCH_REPORTS = [
    (r"It is (-?\d+) degrees and (\w+) in (.+)\.", "Il fait {0} degrés à {2}, temps {1}."),
    (r"It is (-?\d+) degrees in (.+)\.", "Il fait {0} degrés à {1}."),
    (r"It is (\d+:\d+) in (.+)\.", "Il est {0} à {1}."),
    (r"It is (\w+) in (.+)\.", "Temps {0} à {1}."),
    (r"The result is (.+)\.", "Le résultat est {0}."),
    (r"The timer runs for (\d+) minutes\.", "Le minuteur tourne pendant {0} minutes."),
    (r"The (.+) is on\.", "{0} : allumé."),
    (r"The (.+) is off\.", "{0} : éteint."),
    (r"The \w+ of (.+) is (\S+)\.", "La réponse pour {0} est {1}."),
]
FRENCH_SKIES = {
    "sunny": "ensoleillé",
    "cloudy": "nuageux",
    "rainy": "pluvieux",
    "windy": "venteux",
    "snowy": "neigeux",
    "foggy": "brumeux",
    "clear": "clair",
    "stormy": "orageux",
    "warm": "chaud",
    "cold": "froid",
    "dry": "sec",
    "humid": "humide",
}
FRENCH_SHAPES = {"circle": "cercle", "square": "carré", "triangle": "triangle", "star": "étoile"}
FRENCH_COLOURS = {
    "red": ("rouge", "rouge"),
    "green": ("vert", "verte"),
    "blue": ("bleu", "bleue"),
    "yellow": ("jaune", "jaune"),
    "black": ("noir", "noire"),
    "purple": ("violet", "violette"),
    "orange": ("orange", "orange"),
    "pink": ("rose", "rose"),
}
FRENCH_BACKGROUNDS = {"white": "blanc", "gray": "gris", "black": "noir"}
FRENCH_DIGITS = ("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf")


class French(English):
    """The adapter's answers."""

    no_picture = forms(
        "Je ne vois pas d'image. Ajoutez-en une.",
        "Pas d'image.",
        "Je ne vois pas d'image ici. Ajoutez-en une et demandez encore.",
    )
    no_sound = forms(
        "Je n'entends pas de son. Ajoutez-en un.",
        "Pas de son.",
        "Je n'entends pas de son ici. Ajoutez-en un et demandez encore.",
    )
    no_tool = forms(
        "Je n'ai pas d'outil pour cela.",
        "Pas d'outil.",
        "Je n'ai pas d'outil pour cela. Donnez-en un et demandez encore.",
    )
    who = forms(
        "Je suis gemma4-pico, un tout petit Gemma 4 qui montre edgekit au travail.",
        "gemma4-pico.",
        "Je suis gemma4-pico, un tout petit Gemma 4 qui montre edgekit au travail. "
        "Je connais les formes, les couleurs et les chiffres.",
    )
    can = forms(
        "Je sais nommer une forme et sa couleur, entendre un chiffre, penser et appeler un outil.",
        "Formes, chiffres et outils.",
        "Je sais nommer une forme et sa couleur, entendre un chiffre, penser et appeler un outil. "
        "Ajoutez une image et demandez.",
    )
    hello = forms(
        "Bonjour ! Montrez-moi une forme ou dites un chiffre.",
        "Bonjour !",
        "Bonjour ! Je suis gemma4-pico. Montrez-moi une forme ou dites un chiffre.",
    )
    thanks = forms(
        "Avec plaisir !", "Avec plaisir !", "Avec plaisir ! Montrez-moi une autre forme ou dites un chiffre."
    )
    bye = forms("Au revoir !", "Au revoir !", "Au revoir ! Merci pour cette conversation.")
    unknown = forms(
        "Je suis trop petit pour savoir cela. Parlez-moi d'une forme ou d'un chiffre.",
        "Je ne sais pas.",
        "Je suis trop petit pour savoir cela. Montrez-moi une forme, dites un chiffre ou donnez-moi un outil.",
    )

    def noun(self, d: Drawing) -> str:
        """un cercle rouge, une étoile verte."""
        feminine = d.shape == "star"
        return f"{'une' if feminine else 'un'} {FRENCH_SHAPES[d.shape]} {FRENCH_COLOURS[d.colour][feminine]}"

    def describe(self, d: Drawing) -> Forms:
        """What a picture shows."""
        noun, ground = self.noun(d), FRENCH_BACKGROUNDS[d.background]
        normal = f"{noun[0].upper()}{noun[1:]} sur fond {ground}."
        short = noun.split(" ", 1)[1]
        return forms(normal, f"{short[0].upper()}{short[1:]}.", f"L'image montre {noun}. Le fond est {ground}.")

    def colour(self, d: Drawing) -> Forms:
        """Its colour."""
        word, ground = FRENCH_COLOURS[d.colour][0], FRENCH_BACKGROUNDS[d.background]
        return forms(
            f"La couleur est {word}.", f"{word.capitalize()}.", f"La couleur est {word}. Le fond est {ground}."
        )

    def shape(self, d: Drawing) -> Forms:
        """Its shape."""
        bare = f"{self.noun(d).split(' ')[0]} {FRENCH_SHAPES[d.shape]}"
        return forms(
            f"C'est {bare}.",
            f"{bare[0].upper()}{bare[1:]}.",
            f"C'est {bare}. La couleur est {FRENCH_COLOURS[d.colour][0]}.",
        )

    def background(self, d: Drawing) -> Forms:
        """What is behind it."""
        ground = FRENCH_BACKGROUNDS[d.background]
        return forms(
            f"Le fond est {ground}.", f"{ground.capitalize()}.", f"Le fond est {ground}. On voit {self.noun(d)}."
        )

    def is_colour(self, d: Drawing, guess: str) -> Forms:
        """Yes or no."""
        yes, word = "Oui" if guess == d.colour else "Non", FRENCH_COLOURS[d.colour][0]
        return forms(
            f"{yes}, la couleur est {word}.", f"{yes}.", f"{yes}, la couleur est {word}. On voit {self.noun(d)}."
        )

    def is_shape(self, d: Drawing, guess: str) -> Forms:
        """Yes or no."""
        yes, bare = "Oui" if guess == d.shape else "Non", f"{self.noun(d).split(' ')[0]} {FRENCH_SHAPES[d.shape]}"
        return forms(
            f"{yes}, c'est {bare}.", f"{yes}.", f"{yes}, c'est {bare}. La couleur est {FRENCH_COLOURS[d.colour][0]}."
        )

    def report(self, answer: str) -> str:
        """What a tool answered, in French."""
        for pattern, french in FRENCH_REPORTS:
            if found := re.fullmatch(pattern, answer):
                return french.format(*(FRENCH_SKIES.get(word, word) for word in found.groups()))
        raise ValueError(f"no French for {answer!r}")

    def digit(self, digit: int) -> Forms:
        """What was spoken."""
        word = FRENCH_DIGITS[digit]
        return forms(
            f"J'ai entendu le chiffre {word}.",
            f"{word.capitalize()}.",
            f"J'ai entendu le chiffre {word}. On parlait anglais.",
        )
