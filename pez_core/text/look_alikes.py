"""Letters of other scripts that look like Latin ones.

Chosen by eye, with the thought of Unicode's UTS #39 in mind: what a reader takes for a Latin letter
in the middle of a Latin word. Latin letters with strokes, hooks, turned, small capital or enclosed
are not here: `text.reading` knows them by their names. A letter without an entry for its case has
that of the other case.
But: every letter has one reading, so а Greek nu is "v" and a capital one "n". Signs that stand for
letters ("p1zz@", "|") are not here.
"""

from __future__ import annotations

_LETTERS = {
    "a": "ΑαАΛΔДⲀɑⱭᎪᗅᗩꓮ⍺",
    "b": "ΒβВЬЪБⲂƄꞴᏴᏏᗷᑲꓐ",
    "c": "СϹϲςҪⲤᏟᑕꓚ𐐕",
    "d": "ԀÐĐδձᎠᏧᗞᗪᑯꓓꓒ",
    "e": "ΕεЕЄЭҼҾΣƏӘⲈᎬꓰⴹ℮",
    "f": "ϜՖքҒᖴꓝ",
    "g": "ԌցᏀᏳꓖƍ",
    "h": "ΗНҢҤӇӉҺЋЂհիⲎᎻᏂᕼꓧ",
    "i": "ΙιІꙆⲒƖᎥᛁꓲⵏ⍳",
    "j": "ϳͿЈյᎫᒍꓙ",
    "k": "ΚκКҚҜҠҞӃԞⲔᏦᛕꓗĸ",
    "l": "ӀӏⳐլᏞᒪꓡǀ𐐛",
    "m": "ΜМӍϺⲘᎷᗰᛖꓟ",
    "n": "ΝηпПИπոռղⲚꓠᑎŊ",
    "o": "ΟοОӨѲΘθσՕⲞჿⵔꓳ𐐄𐓂〇ဝഠዐଠס",
    "p": "ΡρРҎⲢᏢᑭꓑÞǷᴩ⍴",
    "q": "ԚϘգզⵕ",
    "r": "ГҐЯΓրⲄᎡᏒᖇꓣᴦƦ",
    "s": "ЅՏⲊᏕᏚꓢƼ𐐠ട",
    "t": "ΤτТҬեⲦᎢꓔ⊤",
    "u": "υμЦЏՍᑌꓴƱꞞ𐓎∪",
    "v": "νѴᏙᐯⴸꓦ∨",
    "w": "ωΩѠԜШЩաᎳᏔᗯꓪƜ",
    "x": "ΧХҲӼЖⲬᚷⵝꓫᕁ᙭Ꭓ×",
    "y": "ΥУγҮҰЧⲨყᎩᎽꓬƔ",
    "z": "ΖζЗӠⲌᏃꓜƷ",
    "ae": "ÆӔ",
    "oe": "Œ",
}
LOOK_ALIKES = {sign: letters for letters, signs in _LETTERS.items() for sign in signs}
