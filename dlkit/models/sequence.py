"""Text classifiers and a language model that take rows of token ids, padded with 0, and return logits.

Padding never changes the logits of a classifier, and a text without any token gets finite logits too. Strings become
token ids outside the model, because a vocabulary is learned first: lesson 18 uses `keras.layers.TextVectorization`, and
lesson 20 WordPiece. Lessons 17 to 19 build the layers by hand.

`dlkit.evaluate` refuses token ids that are not from 0 to `vocabulary_size` - 1. The models do not look at them: Keras
takes -1 for the last token, and on a GPU the embedding of an id that is too large is 0.
"""

import keras
from keras import layers, ops

from dlkit.models.common import logits_layer
from dlkit.validation import check_integer


def build_text_mean(vocabulary_size, num_classes, *, embedding_dim=64):
    """A bag-of-embeddings classifier: the mean of the word embeddings and one dense layer. Word order has no effect.

    Args:
        vocabulary_size: Integer, number of different tokens, padding included.
        num_classes: Integer, number of logits.
        embedding_dim: Integer, dimension of the word embeddings, default 64.

    Returns:
        An uncompiled `keras.Model` from integers of shape (batch, tokens) to logits of shape (batch, num_classes).

    Example:
        >>> build_text_mean(1000, 2, embedding_dim=8).count_params()
        8018

    References:
        - [Joulin et al., 2016](https://arxiv.org/abs/1607.01759) (fastText), here without word pairs
    """
    tokens, x = _embed(vocabulary_size, embedding_dim)
    return _classify(tokens, _mean_over_tokens(x, tokens), num_classes, "text_mean")


def build_text_cnn(vocabulary_size, num_classes, *, embedding_dim=64, channels=128):
    """A convolution over three neighboring words, global max pooling over the text, and one dense layer.

    Args:
        vocabulary_size: Integer, number of different tokens, padding included.
        num_classes: Integer, number of logits.
        embedding_dim: Integer, dimension of the word embeddings, default 64.
        channels: Integer, number of convolution filters, default 128.

    Returns:
        An uncompiled `keras.Model` from integers of shape (batch, tokens) to logits of shape (batch, num_classes).

    Example:
        >>> build_text_cnn(1000, 2).output_shape
        (None, 2)

    References:
        - [Kim, 2014](https://arxiv.org/abs/1408.5882), here with one kernel size and without pretrained embeddings
    """
    tokens, x = _embed(vocabulary_size, embedding_dim)
    x = layers.Dropout(0.5, name="embedding_dropout")(x)
    mask = ops.cast(ops.expand_dims(ops.not_equal(tokens, 0), axis=-1), x.dtype)  # (batch, tokens, 1)
    x = layers.Multiply(name="masked_embeddings")([x, mask])
    x = layers.Conv1D(channels, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.Multiply(name="masked_features")([x, mask])  # 0 never wins the maximum, because ReLU gives at least 0
    x = layers.GlobalMaxPooling1D(name="max_pool")(x)  # (batch, channels)
    return _classify(tokens, x, num_classes, "text_cnn")


def build_text_lstm(vocabulary_size, num_classes, *, embedding_dim=64, units=32):
    """A bidirectional LSTM: the last hidden states of both directions and one dense layer. By hand in lesson 17.

    Args:
        vocabulary_size: Integer, number of different tokens, padding included.
        num_classes: Integer, number of logits.
        embedding_dim: Integer, dimension of the word embeddings, default 64.
        units: Integer, size of the hidden state of each direction, default 32.

    Returns:
        An uncompiled `keras.Model` from integers of shape (batch, tokens) to logits of shape (batch, num_classes).

    Example:
        >>> build_text_lstm(1000, 2).output_shape
        (None, 2)

    References:
        - [Hochreiter and Schmidhuber, 1997](https://doi.org/10.1162/neco.1997.9.8.1735)
        - [Schuster and Paliwal, 1997](https://doi.org/10.1109/78.650093)
    """
    tokens, x = _embed(vocabulary_size, embedding_dim, mask_zero=True)
    x = layers.Dropout(0.5, name="embedding_dropout")(x)
    lstm = layers.LSTM(units, use_cudnn=False)  # cuDNN refuses a text without tokens
    x = layers.Bidirectional(lstm, name="bidirectional")(x)  # (batch, 2 * units)
    return _classify(tokens, x, num_classes, "text_lstm")


def build_text_transformer(vocabulary_size, num_classes, *, max_length=64, embedding_dim=32, heads=2, blocks=1):
    """A transformer encoder that classifies texts: self-attention blocks, the mean over the tokens, one dense layer.

    The blocks use pre-layer normalization, and a hidden layer of 2 * `embedding_dim` units. By hand in lesson 19.

    Args:
        vocabulary_size: Integer, number of different tokens, padding included.
        num_classes: Integer, number of logits.
        max_length: Integer, largest number of tokens, default 64. Each position has its own learned embedding.
        embedding_dim: Integer, dimension of the token embeddings, a multiple of `heads`, default 32.
        heads: Integer, number of attention heads in each block, default 2.
        blocks: Integer, number of encoder blocks, default 1.

    Returns:
        An uncompiled `keras.Model` from integers of shape (batch, tokens) to logits of shape (batch, num_classes).

    Example:
        >>> build_text_transformer(1000, 2).output_shape
        (None, 2)

    References:
        - [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), section 3
        - [Xiong et al., 2020](https://arxiv.org/abs/2002.04745), for pre-layer normalization
    """
    from keras_hub.layers import TransformerEncoder  # takes seconds to import

    tokens, x = _embed_with_positions(vocabulary_size, embedding_dim, max_length)
    x = layers.Dropout(0.5, name="embedding_dropout")(x)  # (batch, tokens, embedding_dim)
    mask = ops.not_equal(tokens, 0)  # True for tokens, False for padding
    for block in range(1, check_integer("blocks", blocks) + 1):
        encoder = TransformerEncoder(2 * embedding_dim, heads, normalize_first=True, name=f"block_{block}")
        x = encoder(x, padding_mask=mask)
    x = layers.LayerNormalization(name="norm")(x)
    return _classify(tokens, _mean_over_tokens(x, tokens), num_classes, "text_transformer")


def build_language_model(vocabulary_size, *, max_length=64, embedding_dim=64, heads=4, blocks=2):
    """A causal, decoder-only transformer that returns the logits of the next token at every position.

    The logits at a position depend only on the tokens up to that position. The architecture is that of GPT, at a size
    that trains in minutes on a processor: blocks with pre-layer normalization and a hidden layer of 256 units.

    Args:
        vocabulary_size: Integer, number of different tokens. 0 is a token like every other.
        max_length: Integer, largest number of tokens, default 64. Each position has its own learned embedding.
        embedding_dim: Integer, dimension of the token embeddings, a multiple of `heads`, default 64.
        heads: Integer, number of attention heads in each block, default 4.
        blocks: Integer, number of decoder blocks, default 2.

    Returns:
        An uncompiled `keras.Model` from integers of shape (batch, tokens) to logits (batch, tokens, vocabulary_size).

    Example:
        >>> build_language_model(65).output_shape
        (None, None, 65)

    References:
        - [Radford et al., 2018](https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf)
        - [Xiong et al., 2020](https://arxiv.org/abs/2002.04745), for pre-layer normalization
    """
    from keras_hub.layers import TransformerDecoder  # takes seconds to import

    tokens, x = _embed_with_positions(vocabulary_size, embedding_dim, max_length)
    for block in range(1, check_integer("blocks", blocks) + 1):
        x = TransformerDecoder(256, heads, normalize_first=True, name=f"block_{block}")(x)
    x = layers.LayerNormalization(name="norm")(x)
    logits = layers.Dense(vocabulary_size, dtype="float32", name="logits")(x)
    return keras.Model(tokens, logits, name="language_model")


def _embed(vocabulary_size, embedding_dim, *, mask_zero=False):
    """The input and the embeddings that all models here begin with: (batch, tokens), (batch, tokens, embedding_dim)."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    sizes = check_integer("vocabulary_size", vocabulary_size, at_least=2), check_integer("embedding_dim", embedding_dim)
    return tokens, layers.Embedding(*sizes, mask_zero=mask_zero, name="embedding")(tokens)


def _embed_with_positions(vocabulary_size, embedding_dim, max_length):
    from keras_hub.layers import PositionEmbedding  # takes seconds to import

    tokens, x = _embed(vocabulary_size, embedding_dim)
    positions = PositionEmbedding(check_integer("max_length", max_length), name="positions")(x)
    return tokens, layers.Add(name="embeddings")([x, positions])


def _mean_over_tokens(x, tokens):
    """The mean over the tokens of each text, and zeros for a text without tokens: to (batch, embedding_dim)."""
    is_token = ops.not_equal(tokens, 0)
    x = ops.where(ops.expand_dims(is_token, axis=-1), x, 0)
    # In a text without tokens, all positions are counted, because the layer would divide 0 by 0.
    is_counted = ops.logical_or(is_token, ops.logical_not(ops.any(is_token, axis=1, keepdims=True)))
    return layers.GlobalAveragePooling1D(name="mean")(x, mask=is_counted)


def _classify(tokens, x, num_classes, name):
    x = layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(tokens, logits_layer(num_classes)(x), name=name)
