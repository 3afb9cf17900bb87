"""Text classifiers and a language model that take rows of token ids, padded with 0, and return logits.

Padding never changes the logits of a classifier: every layer that combines positions leaves the padded ones out. A text
without any token gets finite logits too. The models do not turn strings into token ids, because a vocabulary is learned
from the training texts first: lesson 18 uses `keras.layers.TextVectorization` and lesson 20 WordPiece. Lessons 17 to 19
build the layers by hand.

Token ids are from 0 to `vocabulary_size` - 1. The functions of `dlkit.evaluate` refuse others. The models themselves do
not look at them: Keras takes -1 for the last token, and on a GPU the embedding of an id that is too large is 0.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from dlkit.models.common import logits_layer
from dlkit.validation import check_integer, check_number


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
    tokens, x = _embed(vocabulary_size, embedding_dim)
    return _classify(tokens, _mean_over_tokens(x, tokens), num_classes, dropout, name)


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
    channels, kernel_size = check_integer("channels", channels), check_integer("kernel_size", kernel_size)
    tokens, x = _embed(vocabulary_size, embedding_dim)
    x = _dropout(dropout, "embedding_dropout")(x)
    mask = ops.cast(ops.expand_dims(ops.not_equal(tokens, 0), axis=-1), x.dtype)  # (batch, tokens, 1)
    x = layers.Multiply(name="masked_embeddings")([x, mask])
    x = layers.Conv1D(channels, kernel_size, padding="same", activation="relu", name="conv")(x)
    x = layers.Multiply(name="masked_features")([x, mask])  # 0 never wins the maximum, because ReLU gives at least 0
    x = layers.GlobalMaxPooling1D(name="max_pool")(x)  # (batch, channels)
    return _classify(tokens, x, num_classes, dropout, name)


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
    tokens, x = _embed(vocabulary_size, embedding_dim, mask_zero=True)
    x = _dropout(dropout, "embedding_dropout")(x)
    lstm = layers.LSTM(check_integer("units", units), use_cudnn=False)  # cuDNN refuses a text without tokens
    x = layers.Bidirectional(lstm, name="bidirectional")(x)  # (batch, 2 * units)
    return _classify(tokens, x, num_classes, dropout, name)


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
    from keras_hub.layers import TransformerEncoder  # takes seconds to import

    hidden = check_integer("hidden", hidden)
    tokens, x = _embed_with_positions(vocabulary_size, embedding_dim, max_length, heads)
    x = _dropout(dropout, "embedding_dropout")(x)  # (batch, tokens, embedding_dim)
    mask = ops.not_equal(tokens, 0)  # True for tokens, False for padding
    for block in range(1, check_integer("blocks", blocks) + 1):
        encoder = TransformerEncoder(hidden, heads, normalize_first=True, name=f"block_{block}")
        x = encoder(x, padding_mask=mask)
    x = layers.LayerNormalization(name="norm")(x)
    return _classify(tokens, _mean_over_tokens(x, tokens), num_classes, dropout, name)


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
    from keras_hub.layers import TransformerDecoder  # takes seconds to import

    hidden = check_integer("hidden", hidden)
    tokens, x = _embed_with_positions(vocabulary_size, embedding_dim, max_length, heads)
    for block in range(1, check_integer("blocks", blocks) + 1):
        x = TransformerDecoder(hidden, heads, normalize_first=True, name=f"block_{block}")(x)
    x = layers.LayerNormalization(name="norm")(x)
    return keras.Model(tokens, layers.Dense(vocabulary_size, dtype="float32", name="logits")(x), name=name)


def _embed(vocabulary_size, embedding_dim, *, mask_zero=False):
    """The input and the embeddings that all models here begin with: (batch, tokens), (batch, tokens, embedding_dim)."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    sizes = check_integer("vocabulary_size", vocabulary_size, at_least=2), check_integer("embedding_dim", embedding_dim)
    return tokens, layers.Embedding(*sizes, mask_zero=mask_zero, name="embedding")(tokens)


def _embed_with_positions(vocabulary_size, embedding_dim, max_length, heads):
    from keras_hub.layers import PositionEmbedding  # takes seconds to import

    tokens, x = _embed(vocabulary_size, embedding_dim)
    if embedding_dim % check_integer("heads", heads):
        raise ValueError(f"Expected embedding_dim to be a multiple of heads = {heads}. Received: {embedding_dim}.")
    positions = PositionEmbedding(check_integer("max_length", max_length), name="positions")(x)
    return tokens, layers.Add(name="embeddings")([x, positions])


def _mean_over_tokens(x, tokens):
    """The mean over the tokens of each text, and zeros for a text without tokens: to (batch, embedding_dim)."""
    is_token = ops.not_equal(tokens, 0)
    x = ops.where(ops.expand_dims(is_token, axis=-1), x, 0)
    # In a text without tokens, all positions are counted, because the layer would divide 0 by 0.
    is_counted = ops.logical_or(is_token, ops.logical_not(ops.any(is_token, axis=1, keepdims=True)))
    return layers.GlobalAveragePooling1D(name="mean")(x, mask=is_counted)


def _dropout(rate, name="dropout"):
    return layers.Dropout(check_number("dropout", rate, at_least=0, at_most=0.99), name=name)


def _classify(tokens, x, num_classes, dropout, name):
    return keras.Model(tokens, logits_layer(num_classes)(_dropout(dropout)(x)), name=name)
