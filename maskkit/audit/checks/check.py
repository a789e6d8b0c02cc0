"""What a check of the audit is: one question, its measurement, its limits, its figures and its words.

To add a check, write one file in this folder that ends with `CHECK = Check(...)`, and add it to the list in
`__init__.py`. The audit, its figures and the pages take everything from there.

A page knows a check only by what `Check.describe` writes into audit.json, a list in the order of the page:

    "checks": [
        {
            "name": "leaks",                   key of the check's result in "lights"; null where it has none
            "section": "leaks",                key of its entries in audit.json
            "title": "Leaks between the parts",            of the result; "" where there is none
            "section_title": "Near copies in both parts",  heading of the page's section
            "figures": ["leaks"],              figures/trust_<name>.png, the section's main figure first
            "look_for": {"leaks": "Look for ..."},         {figure: a sentence below it}, one for each figure
            "shown": {},                       {figure: what it shows}, for figures that do not show the entries
            "entries": {"sha256": {"id": "the same bytes (SHA-256)", "values": {}}},
                                               {key of every entry: its name as a message of `core.messages`}
            "kinds": {}                        {an entry's "kind": words for it}
        },
        ...
    ]

Every entry, and every result in "lights", holds "sentence" (English) and, unless the sentence is free text such as the
words of an exception, "message" ({"id", "values"} of `core.messages`). "title", "reason", "section_title", "look_for",
"shown", "kinds" and an entry's "sees" are constant texts, so they are message ids themselves. An entry whose
"measured_on" is made of a template has it in entry["messages"]["measured_on"].
"""
