"""A transformer encoder of 6 layers in inference."""
from workload import INFERENCE, Workload, normal_batches, normal_file

DEPTH, WIDTH, HEADS, LENGTH, COUNT = 6, 384, 6, 128, 64
FLOPS = DEPTH * 2 * LENGTH * (12 * WIDTH * WIDTH + 2 * LENGTH * WIDTH)


def torch():
    from torch import nn
    from torch_peer import Inference
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0, activation="gelu", batch_first=True, norm_first=True)
    return Inference(nn.TransformerEncoder(layer, DEPTH, enable_nested_tensor=False), normal_batches(COUNT, 1, LENGTH, WIDTH))


def jax():
    import jax
    from jax_peer import Inference, apply_linear, layer_norm, linear, norm

    def layer():
        return {"norm1": norm(WIDTH), "qkv": linear(WIDTH, 3 * WIDTH), "out": linear(WIDTH, WIDTH), "norm2": norm(WIDTH), "up": linear(WIDTH, 4 * WIDTH),
                "down": linear(4 * WIDTH, WIDTH)}

    def forward(layers, x):
        for p in layers:
            qkv = apply_linear(p["qkv"], layer_norm(p["norm1"], x))
            q, k, v = (part.reshape(1, LENGTH, HEADS, WIDTH // HEADS) for part in jax.numpy.split(qkv, 3, axis=-1))
            x = x + apply_linear(p["out"], jax.nn.dot_product_attention(q, k, v).reshape(1, LENGTH, WIDTH))
            x = x + apply_linear(p["down"], jax.nn.gelu(apply_linear(p["up"], layer_norm(p["norm2"], x)), approximate=False))
        return x
    return Inference([layer() for _ in range(DEPTH)], forward, normal_batches(COUNT, 1, LENGTH, WIDTH))


WORKLOADS = [Workload("encoder", "transformer encoder, batch 1", "inference", "encoder", (f"--inputs={normal_file(COUNT, LENGTH, WIDTH)}",), 5, torch, jax, peers=INFERENCE, flops=FLOPS)]
