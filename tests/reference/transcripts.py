"""Error rates by jiwer, and losses by trying every path of frames, for comparison with ours."""

import math

import jiwer

from tests.reference.speech import texts


def wer(said, heard):
    return jiwer.wer(list(said), list(heard))


def cer(said, heard):
    return jiwer.cer(list(said), list(heard))


def nats(said, p, characters):
    """-ln of all that the paths of frames say of a text whose characters the model knows."""
    return -math.log(texts(p.tolist())[tuple(1 + characters.index(each) for each in said)])
