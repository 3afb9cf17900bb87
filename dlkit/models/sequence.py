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


def build_text_transformer(
    vocabulary_size,
    num_classes,
    *,
    max_length=64,
    width=32,
    heads=2,
    blocks=1,
    hidden=64,
    dropout=0.5,
    name="text_transformer",
):
    """A transformer encoder: every word looks at all others; the mean of what they found gives the logits.

    Args:
        vocabulary_size: number of different tokens, padding included.
        num_classes: number of logits.
        max_length: most tokens in a text: each place has a vector of its own, learnt.
        width: length of a word's vector, a multiple of `heads`.
        heads: attention heads in a block.
        blocks: number of encoder blocks, normalised first.
        hidden: units of the dense layer in a block.
        dropout: share of numbers that training sets to 0, after the embedding and before the logits.
        name: the model's name.

    Returns:
        An uncompiled `keras.Model` from (batch, tokens) integers to (batch, num_classes).

    Source: Vaswani and others 2017, arXiv 1706.03762, section 3. The block is built by hand in notebook 19.

    Example:
        >>> build_text_transformer(1000, 2).output_shape
        (None, 2)
    """
    from keras_hub.layers import PositionEmbedding, TransformerEncoder  # seconds to import

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    words = ops.not_equal(tokens, 0)
    x = layers.Embedding(vocabulary_size, width, name="embedding")(tokens)
    x = layers.Add(name="word_and_place")([x, PositionEmbedding(max_length, name="positions")(x)])
    x = layers.Dropout(dropout, name="dropout_words")(x)
    for block in range(1, blocks + 1):
        encoder = TransformerEncoder(hidden, heads, normalize_first=True, name=f"block_{block}")
        x = encoder(x, padding_mask=words)
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling1D(name="mean")(x, mask=words)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(tokens, layers.Dense(num_classes, name="logits")(x), name=name)


def build_language_model(
    vocabulary_size, *, max_length=64, width=64, heads=4, blocks=2, hidden=256, name="language_model"
):
    """A causal transformer, decoder only: at each place the logits of the next token, from the tokens up to there.

    Args:
        vocabulary_size: number of different tokens; 0 is one like the others.
        max_length: most tokens at a time: each place has a vector of its own, learnt.
        width: length of a token's vector, a multiple of `heads`.
        heads: attention heads in a block.
        blocks: number of blocks, normalised first.
        hidden: units of the dense layer in a block.
        name: the model's name.

    Returns:
        An uncompiled `keras.Model` from (batch, tokens) integers to (batch, tokens, vocabulary_size).

    Source: Radford and others 2018, Improving Language Understanding by Generative Pre-Training (GPT), at a size for
    minutes on a processor.

    Example:
        >>> build_language_model(65).output_shape
        (None, None, 65)
    """
    from keras_hub.layers import PositionEmbedding, TransformerDecoder  # seconds to import

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(vocabulary_size, width, name="embedding")(tokens)
    x = layers.Add(name="token_and_place")([x, PositionEmbedding(max_length, name="positions")(x)])
    for block in range(1, blocks + 1):
        x = TransformerDecoder(hidden, heads, normalize_first=True, name=f"block_{block}")(x)
    x = layers.LayerNormalization(name="norm")(x)
    return keras.Model(tokens, layers.Dense(vocabulary_size, name="logits")(x), name=name)


@keras.saving.register_keras_serializable("dlkit")
class IsToken(layers.Layer):
    """1 for each token, 0 for padding: (batch, tokens) integers to (batch, tokens, 1)."""

    def call(self, tokens):
        return ops.cast(ops.not_equal(tokens, 0), self.compute_dtype)[..., None]
