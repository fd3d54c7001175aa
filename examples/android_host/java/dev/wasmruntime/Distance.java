package dev.wasmruntime;

/** How far apart two vectors are. */
public enum Distance {
    /** 1 - cos. */
    COSINE,
    /** Minus the dot product. */
    DOT,
    EUCLIDEAN
}
