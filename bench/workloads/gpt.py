"""GPT-2 style transformers, a small one and one of the sizes of GPT-2 124M: training, and generation token by token with a cache of keys and values."""
from workload import Workload, token_file, window_batches

SMALL = {"vocab": 256, "context": 256, "window": 256, "width": 384, "heads": 6, "depth": 6, "batch": 8}
GPT2 = {"vocab": 50257, "context": 256, "window": 64, "width": 768, "heads": 12, "depth": 12, "batch": 4}
OPTIMIZER = {"lr": 1e-3, "betas": (0.9, 0.99), "weight_decay": 0.1}


def token_batches(vocab, window, batch):
    import numpy
    return window_batches(numpy.load(token_file(vocab)), batch, window)


def network(vocab, context, width, heads, depth):
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def mlp(self, x):
            return self.down(F.gelu(self.up(self.ln2(x))))

        def forward(self, x):
            B, T, _ = x.shape
            q, k, v = self.qkv(self.ln1(x)).view(B, T, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            y = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, width))
            return y + self.mlp(y)

        def step(self, x, place, keys, values, seen, mask):
            """A vector at one more place. What it sees of the cache: the first `seen` places, or with a mask what that says."""
            q, k, v = self.qkv(self.ln1(x)).view(1, 3, heads, 1, width // heads).unbind(1)
            keys.index_copy_(2, place, k)
            values.index_copy_(2, place, v)
            y = x + self.out(F.scaled_dot_product_attention(q, keys[:, :, :seen], values[:, :, :seen], attn_mask=mask).reshape(1, width))
            return y + self.mlp(y)

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(vocab, width), nn.Embedding(context, width)
            self.blocks = nn.ModuleList(Block() for _ in range(depth))
            self.ln = nn.LayerNorm(width)

        def forward(self, ids):
            x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
            for block in self.blocks:
                x = block(x)
            return F.linear(self.ln(x), self.tokens.weight)

        def step(self, token, place, keys, values, seen, mask=None):
            x = self.tokens(token) + self.positions(place)
            for block, k, v in zip(self.blocks, keys, values):
                x = block.step(x, place, k, v, seen, mask)
            return F.linear(self.ln(x), self.tokens.weight)
    return GPT()


def torch_training(vocab, context, window, width, heads, depth, batch):
    from torch.nn.functional import cross_entropy
    from torch_peer import Training
    net = network(vocab, context, width, heads, depth)
    return Training(net, lambda net, x, y: cross_entropy(net(x.long()).view(-1, vocab), y.long().reshape(-1)), token_batches(vocab, window, batch), OPTIMIZER, clip=1)


def torch_generation(vocab, context, window, width, heads, depth, batch):
    import torch
    from torch_peer import Recurrence
    net = network(vocab, context, width, heads, depth)
    keys, values = ([torch.zeros(1, heads, context, width // heads) for _ in range(depth)] for _ in range(2))
    places = torch.arange(context)

    def pick(logits):
        return torch.multinomial(torch.softmax(logits, -1), 1)[0]

    def eager(token, place):
        return pick(net.step(token, place, keys, values, int(place) + 1))

    def compiled(token, place):
        return pick(net.step(token, place, keys, values, context, (places <= place).view(1, 1, 1, context)))
    return Recurrence(eager, compiled, torch.zeros(1, dtype=torch.long), context)


def jax_parameters(vocab, context, width, depth):
    from jax_peer import linear, norm, uniform

    def block():
        return {"ln1": norm(width), "qkv": linear(width, 3 * width), "out": linear(width, width), "ln2": norm(width), "up": linear(width, 4 * width), "down": linear(4 * width, width)}
    return {"tokens": uniform(vocab, width, bound=1.7), "positions": uniform(context, width, bound=1.7), "blocks": [block() for _ in range(depth)], "ln": norm(width)}


def jax_mlp(p, x):
    import jax
    from jax_peer import apply_linear, layer_norm
    return apply_linear(p["down"], jax.nn.gelu(apply_linear(p["up"], layer_norm(p["ln2"], x)), approximate=False))


def jax_training(vocab, context, window, width, heads, depth, batch):
    import jax
    from jax_peer import Training, apply_linear, cross_entropy, layer_norm

    def loss(p, ids, labels):
        x = p["tokens"][ids] + p["positions"][:window]
        for block in p["blocks"]:
            q, k, v = (part.reshape(batch, window, heads, width // heads) for part in jax.numpy.split(apply_linear(block["qkv"], layer_norm(block["ln1"], x)), 3, axis=-1))
            y = x + apply_linear(block["out"], jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(batch, window, width))
            x = y + jax_mlp(block, y)
        return cross_entropy(layer_norm(p["ln"], x) @ p["tokens"].T, labels)
    return Training(jax_parameters(vocab, context, width, depth), loss, token_batches(vocab, window, batch), OPTIMIZER, clip=1)


def jax_generation(vocab, context, window, width, heads, depth, batch):
    import jax
    import jax.numpy as jnp
    from jax_peer import Recurrence, apply_linear, layer_norm

    def step(p, state):
        token, t, key, caches = state
        x = p["tokens"][token] + p["positions"][t]
        kept = []
        for block, (keys, values) in zip(p["blocks"], caches):
            q, k, v = apply_linear(block["qkv"], layer_norm(block["ln1"], x)).reshape(3, heads, width // heads)
            keys, values = keys.at[:, t].set(k), values.at[:, t].set(v)
            scores = jnp.where(jnp.arange(context) <= t, jnp.einsum("hd,htd->ht", q, keys) * (width // heads) ** -0.5, -jnp.inf)
            y = x + apply_linear(block["out"], jnp.einsum("ht,htd->hd", jax.nn.softmax(scores), values).reshape(width))
            x = y + jax_mlp(block, y)
            kept.append((keys, values))
        key, used = jax.random.split(key)
        return jax.random.categorical(used, p["tokens"] @ layer_norm(p["ln"], x)), (t + 1) % context, key, kept
    cache = lambda: jnp.zeros((heads, context, width // heads))
    state = (jnp.int32(0), jnp.int32(0), jax.random.key(0), [(cache(), cache()) for _ in range(depth)])
    return Recurrence(jax_parameters(vocab, context, width, depth), step, state)


def bytes_of_token(vocab, context, window, width, heads, depth, batch):
    """The weights, and the keys and values of all places."""
    return 4 * (vocab * width + depth * (12 * width * width + 13 * width) + depth * 2 * context * width)


def training(name, title, sizes, every):
    command = ("train", f"--tokens={token_file(sizes['vocab'])}")
    return Workload(name, title, "training", "gpt", command, every, torch_training, jax_training, sizes)


def generation(name, title, sizes, every):
    return Workload(name, title, "generation", "gpt", ("generate",), every, torch_generation, jax_generation, sizes, bytes=bytes_of_token(**sizes))


WORKLOADS = [training("gpt", "small GPT", SMALL, 1), training("gpt2", "GPT-2 124M", GPT2, 1), generation("gpt-tokens", "small GPT, a token", SMALL, 5),
             generation("gpt2-tokens", "GPT-2 124M, a token", GPT2, 1)]
