"""What people ask gemma4-pico, in many wordings. The held-out wordings are for evaluation and never trained on."""

from __future__ import annotations

from random import Random

QUESTIONS: dict[str, list[str]] = {
    "describe": [
        "What is this?", "What's this?", "What is that?", "What's that?", "What is in this picture?", "What is it?",
        "What is in the image?", "What's in the picture?", "What's in this image?", "What do you see?",
        "What can you see?", "Describe the picture.", "Describe this image.", "Describe the image.", "Describe it.",
        "Describe this.", "Describe what you see.", "Tell me what you see.", "What does the picture show?",
        "What does this image show?", "What is shown here?", "What is drawn here?", "Name the object.",
        "Which object is in the image?", "What object is this?", "Caption this.", "Write a caption for this image.",
        "Please describe what is in this photo.", "Look at this.", "Look at this picture. What is it?",
        "What am I looking at?", "What is on the picture?", "Tell me about this picture.", "Tell me about the image.",
        "What did I draw?", "Can you describe this picture?", "Can you tell me what this is?", "Do you see this?",
        "I have a picture. What is it?", "What do you see in this picture?", "What do you see here?", "And this?",
        "What about this one?", "And this one?", "What is in this photo?", "Explain this image.", "Picture?", "",
    ],
    "colour": [
        "What colour is it?", "What color is it?", "Which colour is it?", "Which color is this?", "And the colour?",
        "What is its colour?", "What is the color?", "What colour is this?", "What color does it have?", "Colour?",
        "What is the colour of the shape?", "What color is the shape?", "What colour is the object?", "Color?",
        "Tell me the colour.", "Tell me its color.", "Name the color.", "What colour is the {shape}?",
        "What color is the {shape}?", "Which colour does the {shape} have?", "Can you tell me the colour?",
    ],
    "shape": [
        "What shape is it?", "Which shape is it?", "What shape is this?", "What is the shape?", "Name the shape.",
        "What is its shape?", "Tell me the shape.", "Which form does it have?", "What form is it?", "Shape?",
        "What kind of shape is this?", "Which shape do you see?", "What figure is it?", "And the shape?",
        "What shape is in the picture?", "Can you tell me the shape?", "Which shape is drawn here?",
    ],
    "background": [
        "What is the background?", "What colour is the background?", "What color is the background?", "Background?",
        "Which colour has the background?", "And the background?", "Describe the background.",
        "Tell me the background color.", "What is behind it?", "What is the background colour?",
    ],
    "is_colour": [
        "Is it {colour}?", "Is this {colour}?", "Is the {shape} {colour}?", "Is the shape {colour}?",
        "Is its colour {colour}?", "Is the color {colour}?",
    ],
    "is_shape": [
        "Is it a {guess}?", "Is this a {guess}?", "Do you see a {guess}?", "Is there a {guess}?",
        "Is there a {guess} in the picture?", "Is the shape a {guess}?",
    ],
    "box": [
        "Where is it?", "Where is the {shape}?", "Where is the {colour} {shape}?", "Give me the bounding box.",
        "What is the bounding box?", "What's the bounding box for the {shape}?", "Detect the {shape}.",
        "Find the {shape}.", "Locate the {shape}.", "Detect the object.", "Return the box of the {colour} {shape}.",
        "Give the bounding box of the {shape} as JSON.", "Where is the shape?", "Bounding box?",
    ],
    "digit": [
        "Which digit is this?", "What digit is this?", "Which digit was spoken?", "What digit was spoken?",
        "Which digit do you hear?", "What did you hear?", "What do you hear?", "What was said?", "What did I say?",
        "What is this?", "What number is this?", "Which number is it?", "Which number did I say?", "What is it?",
        "Transcribe this.", "Transcribe the audio.", "Transcribe the following speech.", "Listen to this.",
        "What is said here?", "What is in this audio?", "What is in this recording?", "Tell me what you hear.",
        "Can you hear this?", "Which digit?", "What number do you hear?", "Describe the sound.", "What's this?",
        "Describe this.", "What does the recording say?", "Which digit is in the sound?", "What number was that?",
        "Write down what you hear.", "What is the digit?", "Name the digit.", "Digit?", "Which number?",
        "Listen. Which digit is it?", "What did he say?", "What did she say?", "And this one?", "And this?", "",
    ],
    "who": [
        "Who are you?", "What are you?", "What is your name?", "What's your name?", "Tell me about yourself.",
        "Who am I talking to?", "Which model are you?", "What model is this?", "Are you Gemma?", "Are you a robot?",
        "Introduce yourself.", "Who made you?", "Name?", "What is gemma4-pico?", "Your name?", "And who are you?",
        "Are you an AI?", "Who is this?", "Do you have a name?", "Are you ChatGPT?", "Say who you are.",
    ],
    "can": [
        "What can you do?", "What are you able to do?", "How can you help me?", "Help", "What do you know?",
        "What are your abilities?", "How do you work?", "What can I ask you?", "What should I ask you?",
        "Can you help me?", "What are you good at?", "What are you for?", "Tell me what you can do.", "Help me.",
        "How do I use you?", "What do you do?", "List your skills.", "What else can you do?",
    ],
    "hello": [
        "Hello", "Hi", "Hey", "Hello!", "Hi there!", "Hey there", "Good morning", "Good evening", "Good day",
        "Hello there", "Hi, how are you?", "How are you?", "Hello, who is there?", "Hello pico", "Hi gemma",
        "Greetings", "Hello again", "How are you today?", "How is it going?", "Are you there?", "Hallo", "Yo",
    ],
    "thanks": [
        "Thanks", "Thank you", "Thank you!", "Thanks a lot", "Great, thanks", "Very good", "Well done", "Nice",
        "Great", "Good job", "Perfect", "Cool", "Thank you very much", "OK thanks", "Wow", "That is right", "Correct",
    ],
    "bye": ["Bye", "Goodbye", "See you", "Good night", "Bye bye", "See you later", "I have to go", "Quit", "Farewell"],
    "unknown": [
        "What is the capital of France?", "Who wrote Hamlet?", "Tell me a joke.", "Write a poem.", "What is 2 + 2?",
        "What is the meaning of life?", "How tall is the Eiffel Tower?", "Write a story about a dog.",
        "Who is the president?", "What is love?", "Translate this to German.", "Explain quantum physics.",
        "What is the square root of 9?", "Why is the sky blue?", "Write some Python code.", "Sing a song.",
        "How old is the sun?", "What day is it?", "Where is Berlin?", "How do I cook rice?", "Who was Einstein?",
        "What is a neural network?", "Give me a recipe.", "What is the largest country?", "Do you like cats?",
        "How many legs has a spider?", "What is the speed of light?", "Tell me a fun fact.", "What is Python?",
        "Recommend a book.", "What is 7 times 8?", "Who won the game?", "How far is the moon?", "What is water?",
        "Summarize the news.", "When did Rome fall?", "Is it good to eat fish?", "What should I eat today?",
        "Write an email to my boss.", "Can you drive a car?", "How do planes fly?", "What is edgekit?",
    ],
}

HELD_OUT_QUESTIONS: dict[str, list[str]] = {
    "describe": [
        "What do you see in the image?", "what is on this image", "Please tell me what this is.",
        "Describe the photo", "what's in the photo?", "Can you describe the image?", "tell me what is in the picture",
    ],
    "colour": ["What is the colour of it?", "which color does the shape have", "Tell me which colour it is."],
    "shape": ["Which shape is in the image?", "what shape do you see", "Tell me which shape it is."],
    "digit": [
        "What digit do you hear?", "which digit did I say", "What is the number?", "Please transcribe the audio.",
        "tell me which digit this is", "What was the digit?",
    ],
    "who": ["So who are you?", "tell me who you are", "Which model is this?", "what are you called"],
    "can": ["What are you able to do for me?", "tell me what can you do", "what can you do for me"],
    "hello": ["Hello, pico!", "hi how are you", "hey hello"],
    "unknown": ["Who wrote Faust?", "What is the capital of Spain?", "Tell me a story.", "How tall is a giraffe?"],
}

SYSTEMS: dict[str, list[str]] = {
    "short": [
        "Answer briefly.", "Be brief.", "Answer in as few words as possible.", "Keep your answers short.", "Be short.",
        "Give short answers.", "Answer shortly.", "Use as few words as you can.", "One or two words only.",
        "Reply in one word.", "Short answers only.", "Be concise.", "Keep it short.", "Answer with few words.",
        "You give very short answers.", "You are a terse assistant.", "Please be brief.", "Be concise and brief.",
    ],
    "long": [
        "Answer in detail.", "Be detailed.", "Answer in two sentences.", "Give long answers.", "Explain in detail.",
        "Answer at length.", "Write full, detailed answers.", "Use two sentences.", "Long answers please.",
        "Give detailed answers.", "You explain everything in detail.", "Be thorough.", "Tell me everything you know.",
        "Answer in long sentences.", "You are a talkative assistant.", "Please answer in detail.",
    ],
    "french": [
        "Answer in French.", "Speak French.", "Always answer in French.", "Reply in French.", "Use French.",
        "answer in french", "Réponds en français.", "Parle français.", "You speak French.",
    ],
    "normal": [
        "You are a helpful assistant.", "You are gemma4-pico.", "Be polite.", "You are a friendly assistant.",
        "Help the user.", "You look at pictures and listen to sounds.", "Answer the question.", "Be helpful.",
    ],
}


def casual(random: Random, text: str) -> str:
    """The same words as people really type them: without capitals, without marks, with a please."""
    if not text:
        return text
    if random.random() < 0.08:
        text = random.choice(["Please: ", "Hi! ", "Hello. ", "Ok. ", "Now: ", "Hey, ", "So, "]) + text
    if random.random() < 0.07:
        text = text.rstrip(".?!") + random.choice([", please", " please", " please?", ", please."])
    if random.random() < 0.35:
        text = text.rstrip(".?!")
    elif random.random() < 0.06:
        text = text.rstrip(".?!") + random.choice(["??", "!", " ?", "...", "?!"])
    lot = random.random()
    if lot < 0.33:
        text = text.lower()
    elif lot < 0.37:
        text = text.upper()
    return slip(random, text) if random.random() < 0.04 else text


def slip(random: Random, text: str) -> str:
    """One slip of the finger: a letter left out, doubled or swapped with the next."""
    if len(text) < 4:
        return text
    at = random.randrange(1, len(text) - 1)
    return random.choice(
        [
            text[:at] + text[at + 1 :],
            text[:at] + text[at] + text[at:],
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        ]
    )
