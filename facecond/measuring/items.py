"""The items of a pack behind pictures: whose conditions samples were told, and what they are compared with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecond.conditions.table import CONDITIONS
from facecond.data.pack import Pack
from facecond.errors import DataError
from facecond.metrics.resampling import derangement
from facecond.sampling.folder import digest_of
from facecond.sampling.generation import Generation


@dataclass(frozen=True, kw_only=True)
class Items(ABC):
    """Validation items of a pack behind pictures."""

    pack: Pack
    seed: int = 0
    """Of the floor: which other item's condition a picture is compared with."""

    @property
    @abstractmethod
    def places(self) -> NDArray[np.int64]:
        """int64 (N,): number in the pack of the item behind each picture, the unit of every interval."""

    @property
    @abstractmethod
    def noisy(self) -> Mapping[str, str]:
        """Conditions that the pictures were told as a judge reads them off the real pictures -> that judge."""

    @property
    @abstractmethod
    def told(self) -> set[str]:
        """Conditions that some of the pictures were told."""

    @abstractmethod
    def told_otherwise(self, condition: str) -> int:
        """Number of pictures that were told another value of `condition` than their item's own."""

    @abstractmethod
    def asked(self, condition: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of `condition` that pictures `rows` are compared with."""

    @cached_property
    def unique(self) -> NDArray[np.int64]:
        """int64 (M,): the items behind the pictures, each once, ascending. The real pictures are theirs."""
        return np.unique(self.places)

    @cached_property
    def partners(self) -> NDArray[np.int64]:
        """int64 (N,): for each picture the first picture of another item, whose condition is the floor."""
        _, first, person = np.unique(self.places, return_index=True, return_inverse=True)
        return first[derangement(len(first), self.seed)[person]]

    @cached_property
    def grouped(self) -> NDArray[np.int64]:
        """int64 (N,): rows of the pictures so that those of one item follow one another."""
        return np.argsort(self.places, kind="stable")

    def own(self, condition: str, places: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of `condition` of items `places` of the pack."""
        return np.asarray(self.pack.values(CONDITIONS[condition])[places])


@dataclass(frozen=True, kw_only=True)
class RealItems(Items):
    """Items behind their own pictures, each once."""

    items: NDArray[np.int64]
    """int64 (N,): numbers in the pack."""

    @property
    def places(self) -> NDArray[np.int64]:
        """See `Items`."""
        return self.items

    @property
    def noisy(self) -> Mapping[str, str]:
        """None: a picture is its item's own."""
        return {}

    @property
    def told(self) -> set[str]:
        """All: a picture is what its item says."""
        return set(CONDITIONS)

    def told_otherwise(self, condition: str) -> int:
        """None."""
        return 0

    def asked(self, condition: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return what the items say."""
        return self.own(condition, self.items[rows])


@dataclass(frozen=True, kw_only=True)
class SampledItems(Items):
    """Items behind the samples of a generation."""

    samples: Generation
    read_by: Mapping[str, str] = field(default_factory=dict)
    """Condition -> the judge that read it off the real pictures for the samples, beside what their folder says of that."""

    @cached_property
    def noisy(self) -> Mapping[str, str]:
        """Conditions that the samples were told as a judge reads them off the real pictures -> that judge."""
        return {**self.samples.about.get("noisy", {}), **self.read_by}

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """int64 (N,): number in the pack of the item behind each sample, the unit of every interval.

        Raises DataError for samples with no item behind them, and when all have the same.
        """
        known, folder = {name: place for place, name in enumerate(self.pack.ids)}, self.samples.folder
        places = []
        for record in self.samples.records:
            if record["source"] not in known:
                raise DataError(
                    f"image {record['index']} of {folder} has no item of {self.pack.path} behind it: nothing to compare with",
                    hint="measure samples of validation conditions",
                )
            places.append(known[record["source"]])
        if len(set(places)) < 2:
            raise DataError(
                f"{folder} has conditions of one item only", hint="the floor needs the conditions of others"
            )
        return np.array(places, dtype=np.int64)

    @cached_property
    def told(self) -> set[str]:
        """Conditions that some of the samples were told."""
        return {name for record in self.samples.records for name in record["told"]}

    def asked(self, condition: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of `condition` that samples `rows` are compared with: what they were told, else their item's own.

        What a judge read for them is not what they are compared with: their item's own is.

        Raises DataError when only some were told, or a value of another form, which cannot be compared.
        """
        own, column = self.own(condition, self.places[rows]), CONDITIONS[condition].column
        if condition not in self.told or condition in self.noisy:
            return own
        values = []
        for row in rows:
            text = self.samples.records[row]["told"].get(condition, {}).get("value")
            value = None if text is None else CONDITIONS[condition].recall(text, self.samples.folder)
            if value is None or value.shape != own.shape[1:] or value.dtype != column.dtype:
                raise DataError(
                    f"{condition}: image {row} of {self.samples.folder} was not told it, or got overlapping parts",
                    hint="measure samples that were given the whole condition",
                )
            values.append(value)
        return np.stack(values)

    def told_otherwise(self, condition: str) -> int:
        """Number of samples that were told another value of `condition` than their item's own."""
        own, told = self.pack.values(CONDITIONS[condition]), 0
        for place, record in zip(self.places.tolist(), self.samples.records, strict=True):
            said = record["told"].get(condition)
            told += said is not None and said["sha256"] != digest_of(np.asarray(own[place]))
        return told
