"""The faults that the generator can do to an event, and the reason in the quarantine that each must get.

kind              what is done                                                              the contract says
duplicate         the same messageId again: seconds, hours or weeks later, some with the    a repeat
                  clock times recomputed by the client
late              delivered 2 to 72 hours after it happened                                 good
very_late         delivered 14 to 90 days after it happened, in a history that is so long   good
out_of_order      delivered 5 seconds to 5 minutes after it happened, behind later ones     good
drift_added       with properties that nobody announced                                     good
drift_renamed     a required property under a new name                                      missing_property
drift_retyped     a property in a new shape: an object around it                            wrong_type
future_clock      a device's clock a century ahead                                          future_clock
broken_json       cut off                                                                   not_json
wrong_encoding    a text in Latin-1                                                         not_utf8
wrong_type        a number as text, a list as a string of JSON, a text in a list            wrong_type
missing_property  without a required property, or without messageId                         missing_property
impossible_value  a negative amount, no pieces, an empty id, a currency of four letters     impossible_value
unknown_event     an event or a type that isn't in the contract                             unknown_event
"""

#: Fault to the reason in the quarantine; None where the event still counts once.
KINDS: dict[str, str | None] = {
    "duplicate": None,
    "late": None,
    "very_late": None,
    "out_of_order": None,
    "drift_added": None,
    "drift_renamed": "missing_property",
    "drift_retyped": "wrong_type",
    "future_clock": "future_clock",
    "broken_json": "not_json",
    "wrong_encoding": "not_utf8",
    "wrong_type": "wrong_type",
    "missing_property": "missing_property",
    "impossible_value": "impossible_value",
    "unknown_event": "unknown_event",
}
