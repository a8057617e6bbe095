"""What the commands gave before the code was rearranged: recorded once, compared ever since."""
