"""What a small model's taps hold for one utterance, from transformers' own interface and the modules one by one."""

import inspect
import math

import hf_models
import torch

NORM_BEHIND = [
    "hubert-stable",
    "wav2vec2-adapter",
    "wavlm-stable",
    "unispeech-sat",
    "wav2vec2-conformer",
    "whisper",
    "moonshine",
    "voxtral_encoder",
    "speech_to_text",
    "omniasr",
    "lasr_encoder",
    "glmasr_encoder",
    "voxtral_realtime_encoder",
]
HEARS = {"omniasr": "audio_tower", **dict.fromkeys(["whisper", "moonshine", "speech_to_text", "cohere_asr"], "encoder")}
WINDOWED = ("whisper", "voxtral_encoder", "qwen2_audio_encoder", "audioflamingo3_encoder")


def inputs(name, wave):
    """The feature extractor's result for a waveform at 16 kHz."""
    prepare = hf_models.extractor(name)
    if prepare.sampling_rate != 16000:
        import torchaudio  # the plugin mends its import

        wave = torchaudio.functional.resample(wave, 16000, prepare.sampling_rate)
    asks = "return_attention_mask" in inspect.signature(type(prepare).__call__).parameters
    masked = {"return_attention_mask": True} if asks else {}
    masked |= {"padding": True} if name == "glmasr_encoder" else {}  # as its processor does
    return prepare(wave.numpy(), sampling_rate=prepare.sampling_rate, return_tensors="pt", **masked)


@torch.no_grad()
def states(name, model, wave):
    """Every tap of a model in evaluation mode for one utterance at 16 kHz, (T, D) each.

    Frames that begin after the audio's end are left out.
    """
    given = inputs(name, wave)
    hand = {
        **dict.fromkeys(["qwen2_audio_encoder", "audioflamingo3_encoder"], _masked_window),
        "fun_asr_nano_encoder": _leaving,
        "wavtokenizer": _encodec,
        "pocket_tts_audio_tokenizer": _mimi,
        "pe_audio_encoder": _pe_audio,
    }
    hand |= {"sew": _sew, "sew-d": _sew, "seamless_m4t": _seamless, "mimi": _mimi, "encodec": _encodec, "dac": _dac}
    found = hand.get(name, _returned)(name, model, given)
    return {tap: x[: frames(name, model, wave, given, x)] for tap, x in found.items()}


def frames(name, model, wave, given, x):
    """The frames of audio among those of a tap."""
    if name in WINDOWED:
        return math.ceil(len(wave) * len(x) / (30 * 16000))
    if name == "nemotron_asr_streaming_encoder":
        return math.ceil(len(wave) / 1280)
    if name in ("parakeet", "cohere_asr"):
        model = getattr(model, "encoder", model)
        return int(model._get_output_attention_mask(given["attention_mask"], target_length=len(x)).sum())
    return len(x)


def _returned(name, model, given):
    """Of models whose `hidden_states` are what they seem, but for the last one behind a norm."""
    root = model.get_submodule(HEARS.get(name, ""))
    takes = inspect.signature(root.forward).parameters
    given = {key: x for key, x in given.items() if key in takes and not (name in WINDOWED and "mask" in key)}
    said = root(**given, output_hidden_states=True)
    found = {f"layer{i}": x[0] for i, x in enumerate(said.hidden_states)}
    main = next(iter(given.values()))
    if name in NORM_BEHIND:
        found.popitem()
        found["out"] = said.last_hidden_state[0]
    if hasattr(model, "feature_extractor"):
        found["front"] = model.feature_extractor(main)[0].T
    if name == "omniasr":
        x = main
        for layer in root.subsampling.conv_layers:
            x = layer(x)
        found["front"] = x[0].T
    if name in ("whisper", "voxtral_encoder"):
        found["front"] = root.conv2(torch.nn.functional.gelu(root.conv1(main)))[0].T
    if name == "moonshine":
        x = root.groupnorm(root.conv1(main[:, None]).tanh())
        found["front"] = root.conv3(torch.nn.functional.gelu(root.conv2(x)))[0].T
    if name == "wav2vec2-bert":
        found["adapter1"] = said.last_hidden_state[0]
    if name == "wav2vec2-adapter":
        x = model.encoder(_projected(model, main)).last_hidden_state.transpose(1, 2)
        found["out"] = x[0].T
        for i, layer in enumerate(model.adapter.layers, 1):
            x = layer(x)
            found[f"adapter{i}"] = x[0].T
    return found


def _projected(model, main):
    """What enters the transformer of a wav2vec 2.0."""
    return model.feature_projection(model.feature_extractor(main).transpose(1, 2))[0]


def _sew(name, model, given):
    """SEW pools, and brings its last state up again."""
    front = model.feature_extractor(given["input_values"])
    x = model.layer_norm(front.transpose(1, 2))
    x = (model.feature_projection(x) if model.project_features else x).transpose(1, 2)
    position, pooled = model.encoder.pos_conv_embed(x), model.encoder.pool(x)
    x = (pooled + position[..., : pooled.shape[-1]]).transpose(1, 2)
    if name == "sew":
        x = model.encoder.layer_norm(x)
        found = {"layer0": x[0]}
        for i, layer in enumerate(model.encoder.layers, 1):
            x = layer(x)
            found[f"layer{i}"] = x[0]
    else:
        mask = torch.ones(x.shape[:2], dtype=torch.long)
        found = {"layer0": x[0]}
        inner = model.encoder.encoder
        mask, relative = inner.get_attention_mask(mask), inner.get_rel_pos(x)
        for i, layer in enumerate(inner.layer, 1):
            x = layer(x, mask, relative_pos=relative, rel_embeddings=inner.get_rel_embedding())
            x = x[0] if isinstance(x, tuple) else x
            found[f"layer{i}"] = x[0]
    return {**found, "front": front[0].T, "up": model.encoder.upsample(x)[0]}


def _seamless(name, model, given):
    """The speech encoder alone; a conformer, and an adapter behind it."""
    speech, mask = model.speech_encoder, given["attention_mask"]
    x = speech.feature_projection(given["input_features"])
    said = speech(**given, output_hidden_states=True)
    found = {f"layer{i}": x[0] for i, x in enumerate(said.hidden_states[:-1])}
    out = speech.encoder(x, attention_mask=mask)
    x = out + 0.5 * speech.intermediate_ffn(out)
    return {**found, "out": out[0], "adapter1": speech.adapter.layers[0](x, attention_mask=mask)[0]}


def _mimi(name, model, given):
    """Convolutions, a transformer, a convolution."""
    said = model.encoder(given["input_values"], output_hidden_states=True)
    found = {f"layer{i}": x[0] for i, x in enumerate(said.hidden_states)}
    return {**found, "down": said.latents[0].T}


def _masked_window(name, model, given):
    """Whisper's encoder, which attends to the audio alone, and means of two frames behind it."""
    from transformers.masking_utils import create_bidirectional_mask

    front = model.conv2(torch.nn.functional.gelu(model.conv1(given["input_features"])))
    x = torch.nn.functional.gelu(front).transpose(1, 2) + model.embed_positions.weight
    valid = torch.arange(x.shape[1]) < (given["attention_mask"].sum(-1, keepdim=True) - 1) // 2 + 1
    mask = create_bidirectional_mask(config=model.config, inputs_embeds=x, attention_mask=valid)
    found = {"front": front[0].T, "layer0": x[0]}
    for i, layer in enumerate(model.layers, 1):
        x = layer(x, mask)
        found[f"layer{i}"] = x[0]
    return {**found, "down": model.layer_norm(model.avg_pooler(x.transpose(1, 2)).transpose(1, 2))[0]}


def _leaving(name, model, given):
    """What leaves every layer, where what enters the first has another dimension."""
    said = model(**given, output_hidden_states=True)
    return {f"layer{i}": x[0] for i, x in enumerate(said.hidden_states[1:])}


def _pe_audio(name, model, given):
    """DAC's convolutions, and a transformer with a class token in front."""
    from transformers.masking_utils import create_bidirectional_mask

    x, valid = model.embedder(given["input_values"], padding_mask=given["padding_mask"])
    x, valid = model.patch_embedder(x, padding_mask=valid)
    mask = create_bidirectional_mask(config=model.config, inputs_embeds=x, attention_mask=valid)
    turned = model.rotary_emb(x, torch.arange(x.shape[1])[None])
    found = {"layer0": x[0, 1:]}
    for i, layer in enumerate(model.layers, 1):
        x = layer(x, attention_mask=mask, position_embeddings=turned)
        found[f"layer{i}"] = x[0, 1:]
    found.popitem()
    return {**found, "out": model.norm(x)[0, 1:]}


def _encodec(name, model, given):
    """Convolutions, an LSTM, a convolution."""
    encoder = model.encoder_model.encoder if name == "wavtokenizer" else model.encoder
    *front, lstm, elu, last = encoder.layers
    x = given["input_values"]
    for layer in front:
        x = layer(x)
    y = lstm(x)
    return {"layer0": x[0].T, "layer1": y[0].T, "latent": last(elu(y))[0].T}


def _dac(name, model, given):
    """Convolutions alone."""
    x = model.encoder.conv1(given["input_values"])
    for block in model.encoder.block:
        x = block(x)
    y = model.encoder.snake1(x)
    return {"front": x[0].T, "layer0": model.encoder.conv2(y)[0].T}
