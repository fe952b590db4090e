"""Small random folders of the speech encoders that `-u hf` knows, with the real ones' kernels and strides."""

import functools

import torch

WAV2VEC = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 8,
}
STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
ADAPTER = {"add_adapter": True, "num_adapter_layers": 3, "output_hidden_size": 32}
# No dropout, so that training computes the same; layers are dropped and frames hidden, which the upstream undoes.
STILL = dict.fromkeys(
    [
        *("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout"),
        *("conformer_conv_dropout", "dropout", "hidden_dropout_prob", "attention_probs_dropout_prob", "pooler_dropout"),
        *("speech_encoder_dropout", "adaptor_dropout", "activation_dropout_positions", "dropout_positions"),
        "feat_quantizer_dropout",
    ],
    0.0,
)
DROPPED = {"layerdrop": 0.5, "encoder_layerdrop": 0.5, "speech_encoder_layerdrop": 0.5, "mask_time_prob": 0.3}
CONFORMER = {**WAV2VEC, "conv_depthwise_kernel_size": 7}
SEW = {
    **WAV2VEC,
    "conv_dim": (16,) * 13,
    "squeeze_factor": 2,
    "num_conv_pos_embeddings": 31,
}
SEAMLESS = {
    "hidden_size": 32,
    "speech_encoder_layers": 2,
    "speech_encoder_attention_heads": 2,
    "speech_encoder_intermediate_size": 64,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "vocab_size": 50,
    "t2u_encoder_layers": 1,
    "t2u_decoder_layers": 1,
    "t2u_encoder_ffn_dim": 32,
    "t2u_decoder_ffn_dim": 32,
    "t2u_encoder_attention_heads": 2,
    "t2u_decoder_attention_heads": 2,
    "t2u_vocab_size": 50,
    "unit_hifi_gan_vocab_size": 50,
    "unit_embed_dim": 8,
    "lang_embed_dim": 8,
    "spkr_embed_dim": 8,
    "upsample_initial_channel": 32,
    "adaptor_kernel_size": 8,
    "adaptor_stride": 8,
    "num_adapter_layers": 1,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "t2u_pad_token_id": 1,
    "t2u_eos_token_id": 2,
}
WHISPER = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "vocab_size": 50,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
PARAKEET = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "subsampling_conv_channels": 8,
    "num_mel_bins": 80,
}
MOONSHINE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "encoder_num_hidden_layers": 2,
    "decoder_num_hidden_layers": 1,
    "encoder_num_attention_heads": 2,
    "decoder_num_attention_heads": 2,
    "vocab_size": 50,
    "encoder_num_key_value_heads": 2,
    "decoder_num_key_value_heads": 2,
}
MIMI = {
    "hidden_size": 32,
    "num_filters": 4,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "codebook_size": 16,
    "codebook_dim": 8,
    "num_quantizers": 2,
    "vector_quantization_hidden_dimension": 8,
    "upsample_groups": 32,
    "sliding_window": 250,
}
ENCODEC = {"num_filters": 4, "hidden_size": 16, "codebook_size": 16, "codebook_dim": 16}
DAC = {"encoder_hidden_size": 8, "decoder_hidden_size": 32, "codebook_size": 16, "codebook_dim": 4, "n_codebooks": 2}
ENCODER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
CONFORMER_80MS = {**ENCODER, "subsampling_conv_channels": 8}
QWEN2_AUDIO = {"encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 64, "d_model": 32}
SPEECH2TEXT = {**QWEN2_AUDIO, "vocab_size": 50, "decoder_layers": 1, "decoder_ffn_dim": 32, "conv_channels": 32}
OMNIASR = {
    "vocab_size": 50,
    "audio_config": {
        **ENCODER,
        **dict.fromkeys(["hidden_dropout", "activation_dropout", "attention_dropout"], 0.0),
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    },
}
COHERE = {
    "encoder_config": {**CONFORMER_80MS, "num_mel_bins": 128},
    "vocab_size": 50,
    **ENCODER,
    "num_hidden_layers": 1,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
GRANITE = {**ENCODER, "num_hidden_layers": 3, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 50}
FUN_ASR = {**ENCODER, "num_hidden_layers": 3, "num_timestamp_prediction_layers": 1}
PE_AUDIO = {
    **ENCODER,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "dac_config": {
        "encoder_hidden_size": 4,
        "downsampling_ratios": [2, 8, 10, 12],
        "decoder_hidden_size": 32,
        "n_codebooks": 1,
        "codebook_size": 16,
        "codebook_dim": 32,
    },
}
WAVTOKENIZER = {
    "num_filters": 4,
    "hidden_size": 32,
    "codebook_size": 16,
    "codebook_dim": 32,
    "decoder_hidden_size": 32,
    "decoder_intermediate_size": 32,
    "decoder_num_layers": 1,
}
POCKET_TTS = {
    **ENCODER,
    "num_filters": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "upsample_groups": 32,
    "latent_dim": 16,
}
OWN_RATES = {"Mimi": 24000, "Encodec": 24000, "Dac": 44100, "PocketTTSAudioTokenizer": 24000}
EXTRACTORS = {
    "Wav2Vec2Bert": "SeamlessM4TFeatureExtractor",
    "SeamlessM4T": "SeamlessM4TFeatureExtractor",
    "SeamlessM4Tv2": "SeamlessM4TFeatureExtractor",
    "Whisper": "WhisperFeatureExtractor",
    "ParakeetEncoder": "ParakeetFeatureExtractor",
    "Mimi": "EncodecFeatureExtractor",
    "Encodec": "EncodecFeatureExtractor",
    "Dac": "DacFeatureExtractor",
    "VoxtralEncoder": "WhisperFeatureExtractor",
    "Qwen2AudioEncoder": "WhisperFeatureExtractor",
    "AudioFlamingo3Encoder": "WhisperFeatureExtractor",
    "GlmAsrEncoder": "WhisperFeatureExtractor",
    "Speech2Text": "Speech2TextFeatureExtractor",
    "OmniASRCTC": "OmniASRFeatureExtractor",
    "LasrEncoder": "LasrFeatureExtractor",
    "NemotronAsrStreamingEncoder": "NemotronAsrStreamingFeatureExtractor",
    "CohereAsr": "CohereAsrFeatureExtractor",
    "VoxtralRealtimeEncoder": "VoxtralRealtimeFeatureExtractor",
    "GraniteSpeech5Encoder": "GraniteSpeech5FeatureExtractor",
    "FunAsrNanoEncoder": "FunAsrNanoFeatureExtractor",
    "PeAudioEncoder": "PeAudioFeatureExtractor",
    "WavTokenizer": "WavTokenizerFeatureExtractor",
    "PocketTTSAudioTokenizer": "EncodecFeatureExtractor",
}
# name of a small model -> its class, as transformers begins the names of its config and model, and its sizes
MODELS = {
    "hubert": ("Hubert", WAV2VEC),
    "hubert-stable": ("Hubert", {**WAV2VEC, **STABLE}),
    "wav2vec2": ("Wav2Vec2", WAV2VEC),
    "wav2vec2-adapter": ("Wav2Vec2", {**WAV2VEC, **STABLE, **ADAPTER}),
    "wavlm": ("WavLM", WAV2VEC),
    "wavlm-stable": ("WavLM", {**WAV2VEC, **STABLE}),
    "data2vec-audio": ("Data2VecAudio", {**WAV2VEC, "conv_pos_kernel_size": 5, "num_conv_pos_embeddings": 5}),
    "unispeech-sat": ("UniSpeechSat", {**WAV2VEC, **STABLE}),
    "wav2vec2-conformer": ("Wav2Vec2Conformer", CONFORMER),
    "wav2vec2-bert": ("Wav2Vec2Bert", {**CONFORMER, **ADAPTER, "num_adapter_layers": 1}),
    "sew": ("SEW", SEW),
    "sew-d": ("SEWD", SEW),
    "seamless_m4t": ("SeamlessM4T", SEAMLESS),
    "whisper": ("Whisper", WHISPER),
    "parakeet": ("ParakeetEncoder", PARAKEET),
    "moonshine": ("Moonshine", MOONSHINE),
    "mimi": ("Mimi", MIMI),
    "encodec": ("Encodec", ENCODEC),
    "dac": ("Dac", DAC),
    "voxtral_encoder": ("VoxtralEncoder", ENCODER),
    "qwen2_audio_encoder": ("Qwen2AudioEncoder", QWEN2_AUDIO),
    "audioflamingo3_encoder": ("AudioFlamingo3Encoder", ENCODER),
    "speech_to_text": ("Speech2Text", {**SPEECH2TEXT, "decoder_attention_heads": 2}),
    "omniasr": ("OmniASRCTC", OMNIASR),
    "lasr_encoder": ("LasrEncoder", {**CONFORMER_80MS, "num_key_value_heads": 2}),
    "nemotron_asr_streaming_encoder": ("NemotronAsrStreamingEncoder", {**CONFORMER_80MS, "num_key_value_heads": 2}),
    "cohere_asr": ("CohereAsr", COHERE),
    "glmasr_encoder": ("GlmAsrEncoder", {**ENCODER, "num_key_value_heads": 2}),
    "voxtral_realtime_encoder": ("VoxtralRealtimeEncoder", {**ENCODER, "head_dim": 16}),
    "granite_speech5_encoder": ("GraniteSpeech5Encoder", GRANITE),
    "fun_asr_nano_encoder": ("FunAsrNanoEncoder", FUN_ASR),
    "pe_audio_encoder": ("PeAudioEncoder", PE_AUDIO),
    "wavtokenizer": ("WavTokenizer", WAVTOKENIZER),
    "pocket_tts_audio_tokenizer": ("PocketTTSAudioTokenizer", POCKET_TTS),
}


def build(name, **options):
    """The model, in evaluation mode."""
    import transformers

    kind, sizes = MODELS[name]
    config_class = getattr(transformers, f"{kind}Config")
    known = set(config_class().to_dict())
    still = {key: value for key, value in {**STILL, **DROPPED}.items() if key in known}
    config = config_class(**{**sizes, **still, **options})
    model_class = getattr(transformers, kind if kind.endswith("Encoder") else f"{kind}Model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = model_class(config)
        for weight in model.parameters():  # biases and norms as a trained model has them, not 0 and 1
            if weight.dim() == 1 and weight.is_floating_point():
                weight.data += 0.2 * torch.randn(weight.shape)
    return model.eval()


@functools.cache
def extractor(name):
    """Its feature extractor."""
    import transformers

    kind = MODELS[name][0]
    given = {"sampling_rate": OWN_RATES[kind]} if kind in OWN_RATES else {}
    given |= {"do_normalize": False} if kind == "Moonshine" else {}
    given |= {"hop_length": 512} if kind == "Dac" else {}
    given |= {"feature_size": 128} if kind.endswith("Encoder") and EXTRACTORS[kind].startswith("Whisper") else {}
    return getattr(transformers, EXTRACTORS.get(kind, "Wav2Vec2FeatureExtractor"))(**given)


def save(name, folder, dtype="float32", **options):
    """A folder as transformers writes it; its path."""
    build(name, **options).to(getattr(torch, dtype)).save_pretrained(folder)
    extractor(name).save_pretrained(folder)
    return str(folder)
