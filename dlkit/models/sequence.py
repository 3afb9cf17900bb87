"""Text classifiers and a language model that take rows of token ids, padded with 0, and return logits.

Padding never changes the logits of a classifier: every layer that combines positions leaves the padded ones out. The
models do not turn strings into token ids, because a vocabulary is learned from the training texts first: lesson 18 uses
`keras.layers.TextVectorization` and lesson 20 WordPiece. Lessons 17 to 19 build the layers by hand.
"""

from __future__ import annotations

import keras
from keras import layers, ops


def build_text_mean(vocabulary_size, num_classes, *, embedding_dim=64, dropout=0.5, name="text_mean"):
    """A bag-of-embeddings classifier: the mean of the word embeddings and one dense layer. Word order has no effect.

    Args:
        vocabulary_size: Integer, number of different tokens, padding included.
        num_classes: Integer, number of logits.
        embedding_dim: Integer, dimension of the word embeddings.
        dropout: Float, fraction of the entries of the mean that is set to 0 in training.
        name: String, name of the model.

    Returns:
        An uncompiled `keras.Model` from integers of shape (batch, tokens) to (batch, num_classes). The number of tokens
        is not limited.

    Example:
        >>> build_text_mean(1000, 2, embedding_dim=8).count_params()
        8018

    References:
        - [Joulin et al., 2016](https://arxiv.org/abs/1607.01759) (fastText), here without word pairs
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(vocabulary_size, embedding_dim, mask_zero=True, name="embedding")(tokens)
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(tokens, layers.Dense(num_classes, name="logits")(x), name=name)


def build_text_cnn(
    vocabulary_size, num_classes, *, embedding_dim=64, channels=128, kernel_size=3, dropout=0.5, name="text_cnn"
):
    """A convolution over neighboring words, global max pooling over the text, and one dense layer.

    Args:
        vocabulary_size: Integer, number of different tokens, padding included.
        num_classes: Integer, number of logits.
        embedding_dim: Integer, dimension of the word embeddings.
        channels: Integer, number of convolution filters.
        kernel_size: Integer, number of neighboring words that a filter covers.
        dropout: Float, fraction of the values that is set to 0 in training, after the embedding and before the logits.
        name: String, name of the model.

    Returns:
        An uncompiled `keras.Model` from integers of shape (batch, tokens) to (batch, num_classes). The number of tokens
        is not limited.

    Example:
        >>> build_text_cnn(1000, 2).output_shape
        (None, 2)

    References:
        - [Kim, 2014](https://arxiv.org/abs/1408.5882), here with one kernel size and embeddings that are trained from
          scratch
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    mask = PaddingMask(name="padding_mask")(tokens)  # (batch, tokens, 1)
    x = layers.Embedding(vocabulary_size, embedding_dim, name="embedding")(tokens)  # (batch, tokens, embedding_dim)
    x = layers.Dropout(dropout, name="embedding_dropout")(x)
    x = layers.Multiply(name="masked_embeddings")([x, mask])
    x = layers.Conv1D(channels, kernel_size, padding="same", activation="relu", name="conv")(x)
    x = layers.Multiply(name="masked_features")([x, mask])  # 0 never wins the maximum, because ReLU gives at least 0
    x = layers.GlobalMaxPooling1D(name="max_pool")(x)  # (batch, channels)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(tokens, layers.Dense(num_classes, name="logits")(x), name=name)


def build_text_lstm(vocabulary_size, num_classes, *, embedding_dim=64, units=32, dropout=0.5, name="text_lstm"):
    """A bidirectional LSTM: the last hidden states of both directions and one dense layer.

    The LSTM is built by hand in lesson 17.

    Args:
        vocabulary_size: Integer, number of different tokens, padding included.
        num_classes: Integer, number of logits.
        embedding_dim: Integer, dimension of the word embeddings.
        units: Integer, size of the hidden state of each direction.
        dropout: Float, fraction of the values that is set to 0 in training, after the embedding and before the logits.
        name: String, name of the model.

    Returns:
        An uncompiled `keras.Model` from integers of shape (batch, tokens) to (batch, num_classes). The number of tokens
        is not limited.

    Example:
        >>> build_text_lstm(1000, 2).output_shape
        (None, 2)

    References:
        - [Hochreiter and Schmidhuber, 1997](https://doi.org/10.1162/neco.1997.9.8.1735)
        - [Schuster and Paliwal, 1997](https://doi.org/10.1109/78.650093)
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(vocabulary_size, embedding_dim, mask_zero=True, name="embedding")(tokens)
    x = layers.Dropout(dropout, name="embedding_dropout")(x)
    x = layers.Bidirectional(layers.LSTM(units), name="bidirectional")(x)  # (batch, 2 * units)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(tokens, layers.Dense(num_classes, name="logits")(x), name=name)


def build_text_transformer(
    vocabulary_size,
    num_classes,
    *,
    max_length=64,
    embedding_dim=32,
    heads=2,
    blocks=1,
    hidden=64,
    dropout=0.5,
    name="text_transformer",
):
    """A transformer encoder that classifies texts: self-attention blocks, the mean over the tokens, one dense layer.

    The blocks use pre-layer normalization. The block is built by hand in lesson 19.

    Args:
        vocabulary_size: Integer, number of different tokens, padding included.
        num_classes: Integer, number of logits.
        max_length: Integer, largest number of tokens in a text. Each position has its own learned embedding.
        embedding_dim: Integer, dimension of the token embeddings, a multiple of `heads`.
        heads: Integer, number of attention heads in each block.
        blocks: Integer, number of encoder blocks.
        hidden: Integer, units of the hidden dense layer in each block.
        dropout: Float, fraction of the values that is set to 0 in training, after the embedding and before the logits.
        name: String, name of the model.

    Returns:
        An uncompiled `keras.Model` from integers of shape (batch, tokens) to (batch, num_classes).

    Example:
        >>> build_text_transformer(1000, 2).output_shape
        (None, 2)

    References:
        - [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), section 3
        - [Xiong et al., 2020](https://arxiv.org/abs/2002.04745), for pre-layer normalization
    """
    from keras_hub.layers import PositionEmbedding, TransformerEncoder  # takes seconds to import

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    mask = ops.not_equal(tokens, 0)  # True for tokens, False for padding
    x = layers.Embedding(vocabulary_size, embedding_dim, name="embedding")(tokens)
    x = layers.Add(name="embeddings")([x, PositionEmbedding(max_length, name="positions")(x)])
    x = layers.Dropout(dropout, name="embedding_dropout")(x)  # (batch, tokens, embedding_dim)
    for block in range(1, blocks + 1):
        encoder = TransformerEncoder(hidden, heads, normalize_first=True, name=f"block_{block}")
        x = encoder(x, padding_mask=mask)
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling1D(name="mean")(x, mask=mask)  # (batch, embedding_dim)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(tokens, layers.Dense(num_classes, name="logits")(x), name=name)


def build_language_model(
    vocabulary_size, *, max_length=64, embedding_dim=64, heads=4, blocks=2, hidden=256, name="language_model"
):
    """A causal, decoder-only transformer that returns the logits of the next token at every position.

    The logits at a position depend only on the tokens up to that position. The blocks use pre-layer normalization. The
    architecture is that of GPT, at a size that trains in minutes on a processor.

    Args:
        vocabulary_size: Integer, number of different tokens. 0 is a token like every other.
        max_length: Integer, largest number of tokens. Each position has its own learned embedding.
        embedding_dim: Integer, dimension of the token embeddings, a multiple of `heads`.
        heads: Integer, number of attention heads in each block.
        blocks: Integer, number of decoder blocks.
        hidden: Integer, units of the hidden dense layer in each block.
        name: String, name of the model.

    Returns:
        An uncompiled `keras.Model` from integers of shape (batch, tokens) to (batch, tokens, vocabulary_size).

    Example:
        >>> build_language_model(65).output_shape
        (None, None, 65)

    References:
        - [Radford et al., 2018](https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf)
        - [Xiong et al., 2020](https://arxiv.org/abs/2002.04745), for pre-layer normalization
    """
    from keras_hub.layers import PositionEmbedding, TransformerDecoder  # takes seconds to import

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(vocabulary_size, embedding_dim, name="embedding")(tokens)
    x = layers.Add(name="embeddings")([x, PositionEmbedding(max_length, name="positions")(x)])
    for block in range(1, blocks + 1):
        x = TransformerDecoder(hidden, heads, normalize_first=True, name=f"block_{block}")(x)
    x = layers.LayerNormalization(name="norm")(x)
    return keras.Model(tokens, layers.Dense(vocabulary_size, name="logits")(x), name=name)


@keras.saving.register_keras_serializable("dlkit")
class PaddingMask(layers.Layer):
    """Layer that marks tokens with 1 and padding with 0: integers of shape (batch, tokens) to (batch, tokens, 1)."""

    def call(self, tokens):
        return ops.cast(ops.not_equal(tokens, 0), self.compute_dtype)[..., None]
