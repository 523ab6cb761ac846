#!/bin/sh
# Running at all is the answer: the node has the image.
#   WANT         if given, what FINGERPRINT prints in the right image; another one ends with 64
#   FINGERPRINT  a command whose output differs between images
[ -z "$WANT" ] || [ "$(sh -c "$FINGERPRINT")" = "$WANT" ] || exit 64
