#!/bin/sh
# Running at all is the answer: the node has the image.
#   WANT         if given, what FINGERPRINT prints in the right image; another one ends with 64
#   FINGERPRINT  a command whose output differs between images, and ends with the machine
[ -n "$WANT" ] || exit 0
case $(sh -c "$FINGERPRINT") in
    "$WANT") ;;
    # an image for another processor cannot be compared
    *-"${WANT##*-}") exit 64 ;;
esac
