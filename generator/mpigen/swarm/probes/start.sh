#!/bin/sh
# That it runs is the answer: the node has the image.
exit 0
