#define STAINFOLD_JPEG_VERSION 80
#define STAINFOLD_JPEG_DECODER jpeg_decoder_80
#include "decode/jpeg_interface.h"
