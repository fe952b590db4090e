"""Small random models in the formats that s3prl's own upstreams load."""

import torch

CONVOLUTIONS = "[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16, 2, 2)] * 2"
SIZES = {
    "encoder_layers": 2,
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 64,
    "encoder_attention_heads": 2,
    "conv_feature_layers": CONVOLUTIONS,
    "conv_pos": 16,
    "conv_pos_groups": 4,
}


def hubert(path):
    """A checkpoint for `hubert_custom`."""
    from s3prl.upstream.hubert.hubert_model import HubertConfig, HubertModel, HubertPretrainingConfig
    from s3prl.upstream.utils import merge_with_parent

    task, model = {"label_rate": 50}, {"label_rate": 50, "final_dim": 16, **SIZES}
    symbols = [["a"] * 8]
    network = HubertModel(
        merge_with_parent(HubertConfig, model), merge_with_parent(HubertPretrainingConfig, task), symbols
    )
    content = {"task_cfg": task, "model_cfg": model, "model_weight": network.state_dict()}
    torch.save(content | {"dictionaries_symbols": symbols}, path)
    return str(path)


def wavlm(path):
    """A checkpoint for `wavlm_local`."""
    from s3prl.upstream.wavlm.WavLM import WavLM, WavLMConfig

    config = WavLMConfig(SIZES)
    torch.save({"cfg": vars(config), "model": WavLM(config).state_dict()}, path)
    return str(path)


HF_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


def hf(kind, folder, dtype="float32", **options):
    """A folder as transformers writes it.

    Args:
        kind: of the model: "Hubert", "Wav2Vec2", "WavLM", ...
        options: of its configuration.
    """
    import transformers

    config = getattr(transformers, f"{kind}Config")(**{**HF_SIZES, **options})
    model = getattr(transformers, f"{kind}Model")(config)
    generator = torch.Generator().manual_seed(0)
    for name, weight in model.named_parameters():  # biases and norms as a trained model has them, not 0 and 1
        if weight.dim() == 1:
            weight.data += 0.3 * torch.randn(weight.shape, generator=generator)
        elif name.startswith("encoder.layers"):
            weight.data = 0.3 * torch.randn(weight.shape, generator=generator)
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    return str(folder)


def hf_hubert(folder):
    """A folder for `hf_hubert_custom`."""
    return hf("Hubert", folder)


def multires_hubert(path):
    """A checkpoint for `multires_hubert_local`."""
    from benchmarks import converted
    from s3prl_plugin.upstream.mr_hubert import small

    return str(converted.save(path, small.random_network(small.small_config(dim=32))))


def apc(path, seed=0):
    """A checkpoint for `apc_local`."""
    from s3prl.upstream.apc.apc import APC

    sizes = {"hidden_size": 16, "num_layers": 3, "dropout": 0.0, "residual": True}
    audio = {"feat_type": "fbank", "feat_dim": 20, "frame_length": 25, "frame_shift": 10}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = APC(20, **sizes)
    torch.save({"config": {"data": {"audio": audio}, "model": {"paras": sizes}}, "model": model.state_dict()}, path)
    return str(path)
