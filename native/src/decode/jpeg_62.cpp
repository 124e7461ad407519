#define STAINFOLD_JPEG_VERSION 62
#define STAINFOLD_JPEG_DECODER jpeg_decoder_62
#include "decode/jpeg_interface.h"
