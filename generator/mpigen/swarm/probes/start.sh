#!/bin/sh
# Running at all is the answer: the node has the image.
exit 0
