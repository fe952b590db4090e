"""Folders of models with heads, and of families that share an entry: the encoder inside is what is seen."""

import hf_models
import pytest
import torch

import s3prl_plugin

transformers = pytest.importorskip("transformers")
s3prl_plugin.register()
HEAD = {"vocab_size": 20, "pad_token_id": 0}
PARAKEET = {"encoder_config": hf_models.PARAKEET, **HEAD, "decoder_hidden_size": 16}
# class of transformers -> its configuration's, the sizes, the encoder in it, whose extractor
MODELS = {
    "Wav2Vec2ForCTC": ("Wav2Vec2Config", hf_models.WAV2VEC, "wav2vec2", "wav2vec2"),
    "HubertForCTC": ("HubertConfig", hf_models.WAV2VEC, "hubert", "hubert"),
    "UniSpeechForCTC": ("UniSpeechConfig", hf_models.WAV2VEC, "unispeech", "hubert"),
    "ParakeetForCTC": ("ParakeetCTCConfig", {**PARAKEET}, "encoder", "parakeet"),
    "ParakeetForTDT": ("ParakeetTDTConfig", {**PARAKEET}, "encoder", "parakeet"),
    "ParakeetForRNNT": ("ParakeetRNNTConfig", {**PARAKEET}, "encoder", "parakeet"),
    "WhisperForConditionalGeneration": ("WhisperConfig", hf_models.WHISPER, "model.encoder", "whisper"),
    "SeamlessM4Tv2Model": ("SeamlessM4Tv2Config", hf_models.SEAMLESS, "speech_encoder", "seamless_m4t"),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_encoder_inside_is_what_is_seen(name, tmp_path):
    from s3prl import hub

    config, sizes, path, small = MODELS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, name)(getattr(transformers, config)(**sizes)).eval()
    model.save_pretrained(tmp_path)
    hf_models.extractor(small).save_pretrained(tmp_path)
    upstream = hub.hf(ckpt=str(tmp_path))
    inside = model.get_submodule(path)
    stored = {key: value for key, value in inside.state_dict().items() if not key.startswith("masked_spec")}
    loaded = upstream.network.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in stored.items())
    wave = 0.1 * torch.randn(16001, generator=torch.Generator().manual_seed(0))
    given = hf_models.extractor(small)(
        wave.numpy(), sampling_rate=16000, return_tensors="pt", return_attention_mask=True
    )
    with torch.no_grad():
        said = inside(**given, output_hidden_states=True)
        found = upstream([wave])["states"]
    for i in range(2):  # of two layers; the last is behind a norm in some
        x = found.utterance(f"layer{i}", 0)
        torch.testing.assert_close(x, said.hidden_states[i][0, : len(x)], atol=1e-5, rtol=1e-5)


LLM = {
    "model_type": "llama",
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
QWEN2_AUDIO = {**hf_models.QWEN2_AUDIO, "model_type": "qwen2_audio_encoder"}


@pytest.mark.parametrize(
    ("name", "audio", "small"),
    [
        ("Voxtral", {**hf_models.ENCODER, "model_type": "voxtral_encoder"}, "voxtral_encoder"),
        ("Qwen2Audio", QWEN2_AUDIO, "qwen2_audio_encoder"),
        ("AudioFlamingo3", {**hf_models.ENCODER, "model_type": "audioflamingo3_encoder"}, "audioflamingo3_encoder"),
    ],
)
def test_of_a_language_model_that_hears_its_audio_tower_is_seen(name, audio, small, tmp_path):
    from s3prl import hub

    text = {**LLM, **({"model_type": "qwen2"} if name != "Voxtral" else {})}
    config = getattr(transformers, f"{name}Config")(audio_config=audio, text_config=text)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, f"{name}ForConditionalGeneration")(config)
    model.save_pretrained(tmp_path / "whole")
    hf_models.extractor(small).save_pretrained(tmp_path / "whole")
    model.model.audio_tower.save_pretrained(tmp_path / "alone")
    hf_models.extractor(small).save_pretrained(tmp_path / "alone")
    wave = 0.1 * torch.randn(16001, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole, alone = (hub.hf(ckpt=str(tmp_path / part))([wave])["states"] for part in ("whole", "alone"))
    assert whole.taps == alone.taps
    assert all(torch.equal(x, y) for x, y in zip(whole.tensors, alone.tensors, strict=True))
