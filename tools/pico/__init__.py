"""How gemma4-pico, the bundled demo model, was made: data, training and evaluation."""
