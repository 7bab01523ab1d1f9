#ifndef CM_MINT_RSA_KEYS_H
#define CM_MINT_RSA_KEYS_H

/** PKCS #8 in base64; NULL when there is none of that name. */
const char *mint_rsa_key(const char *name);

#endif
