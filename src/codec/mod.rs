//! The codecs: text frames in, borrowed packets out, and back.
