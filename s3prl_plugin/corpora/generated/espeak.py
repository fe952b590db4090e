"""espeak-ng through ctypes: text in, samples and timed events out.

The library comes with `espeakng-loader` and is loaded when it is first needed. It keeps state from one call to the
next, so that only what a process says first is reproducible: speak once per process (`fresh_process`).
"""

from __future__ import annotations

import ctypes
import importlib
import os
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.errors import UserError, did_you_mean

INSTALL = "pip install 's3prl-plugin[demo]'"
ACCENT = "en-us"  # the label set depends on it, so a corpus keeps to one

_SYNCHRONOUS, _PHONEME_EVENTS, _IPA, _DONT_EXIT = 2, 0x1, 0x2, 0x8000
_UTF8, _FROM_CHARACTER = 1, 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_LIST_TERMINATED, _WORD, _PHONEME = 0, 1, 7


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


class _Voice(ctypes.Structure):
    """espeak_VOICE of speak_lib.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Voice:
    """How a speaker sounds: one of espeak-ng's voice variants, its rate, pitch and pitch range as set by espeak-ng.

    Attributes:
        variant: the name of a file in espeak-ng's `voices/!v`.
        rate: words per minute.
        pitch, pitch_range: 0 to 99, 50 is the variant's own.
    """

    variant: str
    rate: int = 175
    pitch: int = 50
    pitch_range: int = 50


@dataclass(frozen=True, slots=True)
class Event:
    """What espeak-ng reports while it speaks.

    Attributes:
        sample: where in the audio it begins.
        phone: its IPA label with stress marks, "" for a pause; None for the beginning of a word.
        position: the word's first character in the text, counted from 0.
    """

    sample: int
    phone: str | None
    position: int


class Espeak:
    """The library, ready to speak.

    Raises:
        UserError: espeakng-loader is not installed, or its library does not start.
    """

    def __init__(self) -> None:
        try:
            loader = importlib.import_module("espeakng_loader")
        except ImportError:
            raise UserError(f"generated speech needs espeakng-loader, which is not installed: {INSTALL}") from None
        try:
            self._library = ctypes.CDLL(loader.get_library_path())
        except OSError as error:
            raise UserError(f"espeak-ng does not load ({error}); reinstall it: {INSTALL}") from None
        self._declare()
        data = loader.get_data_path()
        options = _DONT_EXIT | _PHONEME_EVENTS | _IPA
        self.sample_rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data), options)
        if self.sample_rate <= 0:
            raise UserError(f"espeak-ng does not start with its data in {data}; reinstall it: {INSTALL}")
        self.version = self._library.espeak_Info(None).decode().split()[0]
        self._pieces: list[np.ndarray] = []
        self._events: list[Event] = []
        self._keep_alive = _Callback(self._receive)
        self._library.espeak_SetSynthCallback(self._keep_alive)

    def speak(self, text: str, voice: Voice) -> tuple[np.ndarray, list[Event]]:
        """Say a text.

        Args:
            text: plain words, numerals spelled out.
            voice: who says it.

        Returns:
            (L,) int16 samples at `sample_rate`, and the beginnings of words and phones in order.

        Raises:
            UserError: there is no such variant (espeak-ng itself would silently use another).
        """
        variants = self.variants()
        if voice.variant not in variants:
            raise UserError(
                f"espeak-ng has no voice variant {voice.variant!r}: {did_you_mean(voice.variant, variants)}"
            )
        failed = self._library.espeak_SetVoiceByName(f"{ACCENT}+{voice.variant}".encode())
        for parameter, value in ((_RATE, voice.rate), (_PITCH, voice.pitch), (_RANGE, voice.pitch_range)):
            failed = failed or self._library.espeak_SetParameter(parameter, value, 0)
        self._pieces, self._events = [], []
        encoded = text.encode() + b"\0"
        failed = failed or self._library.espeak_Synth(encoded, len(encoded), 0, _FROM_CHARACTER, 0, _UTF8, None, None)
        if failed:
            raise RuntimeError(f"espeak-ng returned {failed} for {text!r} with {voice}")
        return np.concatenate([np.zeros(0, np.int16), *self._pieces]), self._events

    def variants(self) -> frozenset[str]:
        """The voice variants that the library's data holds."""
        wanted = _Voice(languages=b"variant")
        voices = self._library.espeak_ListVoices(ctypes.byref(wanted))
        found = set()
        i = 0
        while voices[i]:
            found.add(voices[i].contents.identifier.decode().replace("\\", "/").rpartition("/")[2])
            i += 1
        return frozenset(found)

    def _declare(self) -> None:
        """Argument and result types of the functions that we call."""
        library = self._library
        library.espeak_Info.restype = ctypes.c_char_p
        library.espeak_Info.argtypes = [ctypes.c_void_p]
        library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        library.espeak_ListVoices.argtypes = [ctypes.c_void_p]
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        library.espeak_SetSynthCallback.argtypes = [_Callback]
        library.espeak_Synth.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int]
        library.espeak_Synth.argtypes += [ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p]

    def _receive(self, samples: ctypes._Pointer, count: int, events: ctypes._Pointer) -> int:
        """Take a piece of audio and the events in it; 0 tells espeak-ng to go on."""
        if samples and count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type != _LIST_TERMINATED:
            event = events[i]
            if event.type == _WORD:
                self._events.append(Event(event.sample, None, event.text_position - 1))
            elif event.type == _PHONEME:
                label = bytes(event.id.string).split(b"\0")[0].decode("utf-8", "replace")
                self._events.append(Event(event.sample, label, event.text_position - 1))
            i += 1
        return 0
