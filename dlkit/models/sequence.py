"""Text classifiers and a language model that take rows of token numbers, 0 for padding, and return logits.

Padding never changes what a classifier says: every part of it leaves the padded places out. What turns strings into
numbers stands outside, because it learns its vocabulary first: `keras.layers.TextVectorization` in notebook 18,
WordPiece in notebook 20. Notebooks 17 to 19 build the parts by hand.
"""

from __future__ import annotations

import keras
from keras import layers, ops


def build_text_mean(vocabulary_size, num_classes, *, width=64, dropout=0.5, name="text_mean"):
    """A bag of embeddings: the mean of the words' vectors, and one dense layer. Word order plays no part.

    Args:
        vocabulary_size: number of different tokens, padding included.
        num_classes: number of logits.
        width: length of a word's vector.
        dropout: share of the mean's numbers that training sets to 0.
        name: the model's name.

    Returns:
        An uncompiled `keras.Model` from (batch, tokens) integers to (batch, num_classes). Any number of tokens.

    Source: Joulin, Grave, Bojanowski and Mikolov 2016, arXiv 1607.01759 (fastText), without word pairs.

    Example:
        >>> build_text_mean(1000, 2, width=8).count_params()
        8018
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(vocabulary_size, width, mask_zero=True, name="embedding")(tokens)
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(tokens, layers.Dense(num_classes, name="logits")(x), name=name)


def build_text_cnn(vocabulary_size, num_classes, *, width=64, channels=128, kernel=3, dropout=0.5, name="text_cnn"):
    """A convolution over neighbouring words, then the strongest answer of each channel anywhere in the text.

    Args:
        vocabulary_size: number of different tokens, padding included.
        num_classes: number of logits.
        width: length of a word's vector.
        channels: number of word patterns looked for.
        kernel: words in a pattern.
        dropout: share of numbers that training sets to 0, after the embedding and before the logits.
        name: the model's name.

    Returns:
        An uncompiled `keras.Model` from (batch, tokens) integers to (batch, num_classes). Any number of tokens.

    Source: Kim 2014, arXiv 1408.5882, with one kernel size and vectors that are learnt here.

    Example:
        >>> build_text_cnn(1000, 2).output_shape
        (None, 2)
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    words = IsToken(name="is_token")(tokens)  # 1 for a word, 0 for padding
    x = layers.Embedding(vocabulary_size, width, name="embedding")(tokens)
    x = layers.Dropout(dropout, name="dropout_words")(x)
    x = layers.Multiply(name="words_only")([x, words])
    x = layers.Conv1D(channels, kernel, padding="same", activation="relu", name="conv")(x)
    x = layers.Multiply(name="patterns_only")([x, words])  # 0 is the least that ReLU gives
    x = layers.GlobalMaxPooling1D(name="strongest")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(tokens, layers.Dense(num_classes, name="logits")(x), name=name)


def build_text_lstm(vocabulary_size, num_classes, *, width=64, units=32, dropout=0.5, name="text_lstm"):
    """Two LSTMs, one reading forward and one backward; their last memories together give the logits.

    Args:
        vocabulary_size: number of different tokens, padding included.
        num_classes: number of logits.
        width: length of a word's vector.
        units: numbers of memory of each LSTM.
        dropout: share of numbers that training sets to 0, after the embedding and before the logits.
        name: the model's name.

    Returns:
        An uncompiled `keras.Model` from (batch, tokens) integers to (batch, num_classes). Any number of tokens.

    Source: Schuster and Paliwal 1997, Bidirectional Recurrent Neural Networks. The LSTM is built in notebook 17.

    Example:
        >>> build_text_lstm(1000, 2).output_shape
        (None, 2)
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(vocabulary_size, width, mask_zero=True, name="embedding")(tokens)
    x = layers.Dropout(dropout, name="dropout_words")(x)
    x = layers.Bidirectional(layers.LSTM(units), name="both_ways")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(tokens, layers.Dense(num_classes, name="logits")(x), name=name)


@keras.saving.register_keras_serializable("dlkit")
class IsToken(layers.Layer):
    """1 for each token, 0 for padding: (batch, tokens) integers to (batch, tokens, 1)."""

    def call(self, tokens):
        return ops.cast(ops.not_equal(tokens, 0), self.compute_dtype)[..., None]
