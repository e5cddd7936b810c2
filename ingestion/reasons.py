"""Why a record is in quarantine: the fixed set of reasons, in the order in which they are looked for."""

#: Reason to what it says of the record.
REASONS = {
    "too_large": "more bytes than MERCATO_INGESTION__MAX_RECORD_BYTES",
    "not_utf8": "its bytes are no UTF-8",
    "not_json": "it is empty, cut off, nested too deep, or no JSON at all",
    "unknown_event": "its type or event is not in the contract",
    "missing_property": "a required property, or both userId and anonymousId, are missing",
    "wrong_type": "a known property is of another type",
    "impossible_value": "a known property is out of its bounds, or Postgres can't store a value",
    "future_clock": "its timestamp lay more than a day ahead of our clock when it came",
}
