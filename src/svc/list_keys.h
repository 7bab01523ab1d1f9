#ifndef CM_SVC_LIST_KEYS_H
#define CM_SVC_LIST_KEYS_H
/* Messages about keys and models. One field a line: message, number, name, type, flags, greatest
 * size or number, count when repeated, values, message, sentence. */
/* clang-format off */

#define CM_TENANT(F, M) \
    F(M, 1, tenant, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 64, 0, NULL, NULL, "The tenant.")
#define CM_NAMED_KEY(F, M) CM_TENANT(F, M) \
    F(M, 2, key, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 128, 0, NULL, NULL, "The key's name.") \
    F(M, 3, keyspace, TEXT, CM_FF_QUERY, 128, 0, NULL, NULL, "The keyspace it is in; `default` when absent.")
/* What the conditions of a policy look at. */
#define CM_CLAIMS(F, M) \
    F(M, 16, purpose, TEXT, 0, 128, 0, NULL, NULL, "What it is for, where the policy asks.") \
    F(M, 17, approval, TEXT, 0, 64, 0, NULL, NULL, "The id of an approval, where the policy asks for one.") \
    F(M, 18, evidence, BYTES, 0, 65536, 0, NULL, NULL, "Attestation evidence, where the policy asks for it.") \
    F(M, 26, challenge, BYTES, 0, 256, 0, NULL, NULL, "The challenge that the evidence was made for: AttestChallenge gives one.") \
    F(M, 27, device_evidence, BYTES, CM_FF_REPEATED, 65536, 16, NULL, NULL, "Evidence of the machine's GPUs and switches, in the order of their indices.")
#define CM_KEY_VERSION(F, M) \
    F(M, 5, version, U64, CM_FF_QUERY, 0, 0, NULL, NULL, "The key's version; absent: the current one.")
#define CM_LEAF(F, M) \
    F(M, 14, leaf, U64, 0, 0, 0, NULL, NULL, "Index of the decision's leaf in the log.")
#define CM_RECEIPT(F, M) CM_LEAF(F, M) \
    F(M, 15, receipt, BYTES, 0, 65536, 0, NULL, NULL, "Proof that the decision is in the log (spec/audit.md).")

#define CM_FIELDS_KeyVersion(F, M) \
    F(M, 1, version, U64, 0, 0, 0, NULL, NULL, "Counts from 1.") \
    F(M, 2, state, ENUM, 0, 0, 0, cm_enum_state, NULL, "Where it stands in its life.") \
    F(M, 3, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was made.") \
    F(M, 4, public_key_sha256, BYTES, 0, 32, 0, NULL, NULL, "Names the public key, if it has one.") \
    F(M, 5, custody, TEXT, 0, 32, 0, NULL, NULL, "Who holds it: `software`, `hsm-wrapped`, `hsm-wrapped-classical` (not post-quantum) or `hsm-native`.") \
    F(M, 6, device, TEXT, 0, 128, 0, NULL, NULL, "The tenant's own device that it is in or kept under, if it has one: name, label, maker and serial number.")

#define CM_FIELDS_Key(F, M) \
    F(M, 1, tenant, TEXT, 0, 64, 0, NULL, NULL, "The tenant.") \
    F(M, 2, key, TEXT, 0, 128, 0, NULL, NULL, "Its name.") \
    F(M, 3, keyspace, TEXT, 0, 128, 0, NULL, NULL, "The keyspace it is in.") \
    F(M, 4, type, TEXT, 0, 32, 0, NULL, NULL, "Its type, such as `ML-DSA-65`.") \
    F(M, 5, version, U64, 0, 0, 0, NULL, NULL, "The current version: new work is done with it.") \
    F(M, 6, state, ENUM, 0, 0, 0, cm_enum_state, NULL, "The current version's state.") \
    F(M, 7, versions, MSG, CM_FF_REPEATED, 0, 64, NULL, &cm_message_KeyVersion, "All versions that exist.") \
    F(M, 8, min_decrypt_version, U64, 0, 0, 0, NULL, NULL, "Older versions process nothing any more.") \
    F(M, 9, tags, TEXT, CM_FF_REPEATED, 64, 16, NULL, NULL, "For policies to refer to.") \
    F(M, 10, exportable, BOOL, 0, 0, 0, NULL, NULL, "Whether ExportWrapped may give it out.") \
    F(M, 11, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was made.") \
    F(M, 12, rotation_days, U64, 0, 0, 0, NULL, NULL, "A new version comes after so many days; 0: never.") \
    F(M, 13, next_rotation_ms, U64, 0, 0, 0, NULL, NULL, "When the next version is due.") \
    F(M, 14, leaf, U64, 0, 0, 0, NULL, NULL, "Index of the decision's leaf in the log.") \
    F(M, 15, destroy_at_ms, U64, 0, 0, 0, NULL, NULL, "When it will be destroyed, if that is pending.") \
    F(M, 16, daily_budget, U64, 0, 0, 0, NULL, NULL, "Decryptions and unwraps a day; 0: no limit.") \
    F(M, 17, rate, U64, 0, 0, 0, NULL, NULL, "Uses a second, weighed by cost; 0: no limit of its own.") \
    F(M, 18, post_quantum, BOOL, 0, 0, 0, NULL, NULL, "Whether it withstands a quantum computer.") \
    F(M, 19, cosigner, TEXT, 0, 128, 0, NULL, NULL, "The key that has to sign receipts and settlements with it.") \
    F(M, 20, release_policy, TEXT, 0, 128, 0, NULL, NULL, "The attestation policy under which ReleaseKey gives it out, or what it wrapped; nothing else does.")

#define CM_FIELDS_CreateKeyRequest(F, M) CM_NAMED_KEY(F, M) \
    F(M, 4, type, TEXT, CM_FF_REQUIRED, 32, 0, NULL, NULL, "Its type, such as `ML-DSA-65` or `AES-256`.") \
    F(M, 5, tags, TEXT, CM_FF_REPEATED, 64, 16, NULL, NULL, "For policies to refer to.") \
    F(M, 6, exportable, BOOL, 0, 0, 0, NULL, NULL, "Whether ExportWrapped may give it out. Can't be changed later.") \
    F(M, 7, rotation_days, U64, 0, 3650, 0, NULL, NULL, "A new version comes after so many days; 0: never.") \
    F(M, 8, activate_at_ms, U64, 0, 0, 0, NULL, NULL, "Pre-active until then.") \
    F(M, 9, daily_budget, U64, 0, 1000000000, 0, NULL, NULL, "Decryptions and unwraps a day; 0: no limit.") \
    F(M, 10, rate, U64, 0, 1000000, 0, NULL, NULL, "Uses a second, weighed by cost; 0: no limit of its own.") \
    F(M, 19, custody, TEXT, 0, 32, 0, NULL, NULL, "`hsm-native`: made in the tenant's own device, and never outside it; absent: sealed under the tenant's key.") \
    F(M, 13, cosigner, TEXT, 0, 128, 0, NULL, NULL, "secp256k1 or ML-DSA-65: a key of the other kind in its keyspace, without whose signature no receipt or settlement of this one is made or good.") \
    F(M, 14, release_policy, TEXT, 0, 128, 0, NULL, NULL, "AES-256 and KEM keys: an attestation policy of the tenant. What the key opens leaves the server only by ReleaseKey, to evidence that meets it. Can't be changed later; the policy can, by two people.")

#define CM_FIELDS_ImportKeyRequest(F, M) CM_FIELDS_CreateKeyRequest(F, M) \
    F(M, 11, secret, BYTES, CM_FF_REQUIRED | CM_FF_SECRET, 8192, 0, NULL, NULL, "The key's raw form: a seed, a scalar, the key's bytes; RSA: PKCS#8.")

#define CM_FIELDS_ImportWrappedRequest(F, M) CM_FIELDS_CreateKeyRequest(F, M) \
    F(M, 11, wrapped, BYTES, CM_FF_REQUIRED, 16384, 0, NULL, NULL, "The secret, HPKE-sealed to the import key.") \
    F(M, 12, import_key, TEXT, CM_FF_REQUIRED, 128, 0, NULL, NULL, "A KEM key of this tenant and keyspace that it was wrapped for.")

#define CM_FIELDS_KeyRequest(F, M) CM_NAMED_KEY(F, M)
#define CM_FIELDS_KeyVersionRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M)

#define CM_FIELDS_ListKeysRequest(F, M) CM_TENANT(F, M) \
    F(M, 3, keyspace, TEXT, CM_FF_QUERY, 128, 0, NULL, NULL, "Only keys of this keyspace.") \
    F(M, 4, page_size, U64, CM_FF_QUERY, 1000, 0, NULL, NULL, "At most so many; 100 when absent.") \
    F(M, 5, page_token, TEXT, CM_FF_QUERY, 2048, 0, NULL, NULL, "What the page before gave as next_page_token.")
#define CM_FIELDS_ListKeysAnswer(F, M) \
    F(M, 1, keys, MSG, CM_FF_REPEATED, 0, 1000, NULL, &cm_message_Key, "In order of keyspace and name.") \
    F(M, 2, next_page_token, TEXT, 0, 2048, 0, NULL, NULL, "For the next page; absent: this was the last.")

#define CM_FIELDS_UpdateKeyRequest(F, M) CM_NAMED_KEY(F, M) \
    F(M, 5, tags, TEXT, CM_FF_REPEATED, 64, 16, NULL, NULL, "Replace the tags.") \
    F(M, 6, clear_tags, BOOL, 0, 0, 0, NULL, NULL, "Remove all tags.") \
    F(M, 7, rotation_days, U64, 0, 3650, 0, NULL, NULL, "A new period; 0: no more rotation.") \
    F(M, 8, min_decrypt_version, U64, 0, 0, 0, NULL, NULL, "May only rise, up to the current version.") \
    F(M, 9, daily_budget, U64, 0, 1000000000, 0, NULL, NULL, "A new daily budget.") \
    F(M, 10, rate, U64, 0, 1000000, 0, NULL, NULL, "A new rate.") \
    F(M, 11, cosigner, TEXT, 0, 128, 0, NULL, NULL, "Another key that has to sign receipts and settlements with it.") \
    F(M, 12, clear_cosigner, BOOL, 0, 0, 0, NULL, NULL, "It may sign alone.")

#define CM_FIELDS_SetKeyStateRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, state, ENUM, CM_FF_REQUIRED, 0, 0, cm_enum_state, NULL, "active, suspended, deactivated or compromised.")
#define CM_FIELDS_ScheduleDestructionRequest(F, M) CM_NAMED_KEY(F, M) \
    F(M, 4, delay_days, U64, 0, 30, 0, NULL, NULL, "7 to 30; 30 when absent.")
#define CM_FIELDS_DeleteKeyRequest(F, M) CM_NAMED_KEY(F, M)

#define CM_FIELDS_PublicKeyAnswer(F, M) \
    F(M, 1, public_key, BYTES, 0, 8192, 0, NULL, NULL, "The raw public key; RSA: its SPKI.") \
    F(M, 2, type, TEXT, 0, 32, 0, NULL, NULL, "The key's type.") \
    F(M, 3, version, U64, 0, 0, 0, NULL, NULL, "The key's version.") CM_LEAF(F, M)

#define CM_FIELDS_SignRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, data, BYTES, CM_FF_REQUIRED, 1048576, 0, NULL, NULL, "The message, digest or mu.") \
    F(M, 7, form, ENUM, 0, 0, 0, cm_enum_form, NULL, "How data is to be taken; message when absent.") \
    F(M, 8, context, BYTES, 0, 255, 0, NULL, NULL, "The signature's context string.") CM_CLAIMS(F, M)
#define CM_FIELDS_SignAnswer(F, M) \
    F(M, 1, signature, BYTES, 0, 20480, 0, NULL, NULL, "The signature.") \
    F(M, 2, version, U64, 0, 0, 0, NULL, NULL, "The version that signed.") CM_RECEIPT(F, M)
#define CM_FIELDS_SignThresholdRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, data, BYTES, 0, 1048576, 0, NULL, NULL, "Round two: the message.") \
    F(M, 7, commitments, BYTES, 0, 65536, 0, NULL, NULL, "Round two: the commitments of all signers, one behind the other in order of their numbers.") \
    F(M, 8, nonces, BYTES, 0, 4096, 0, NULL, NULL, "Round two: the sealed nonces that round one gave.") CM_CLAIMS(F, M)
#define CM_FIELDS_SignThresholdAnswer(F, M) \
    F(M, 1, share, BYTES, 0, 65536, 0, NULL, NULL, "Round one: the commitments; round two: the signature share.") \
    F(M, 2, nonces, BYTES, 0, 4096, 0, NULL, NULL, "Round one: bring them back in round two, once.") \
    F(M, 3, version, U64, 0, 0, 0, NULL, NULL, "The version that signed.") CM_RECEIPT(F, M)
#define CM_FIELDS_AggregateThresholdRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, data, BYTES, 0, 1048576, 0, NULL, NULL, "The message.") \
    F(M, 7, commitments, BYTES, CM_FF_REQUIRED, 65536, 0, NULL, NULL, "The commitments as every signer had them.") \
    F(M, 8, shares, BYTES, CM_FF_REQUIRED, 65536, 0, NULL, NULL, "The signature shares, one behind the other in the same order.") CM_CLAIMS(F, M)
#define CM_FIELDS_DealThresholdRequest(F, M) CM_TENANT(F, M) \
    F(M, 3, keyspace, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 128, 0, NULL, NULL, "The threshold key: a keyspace whose keys `1`, `2` and so on are the shares.") \
    F(M, 4, type, TEXT, CM_FF_REQUIRED, 32, 0, NULL, NULL, "`FROST-Ed25519` or `FROST-secp256k1`.") \
    F(M, 5, tags, TEXT, CM_FF_REPEATED, 64, 16, NULL, NULL, "Of each share, for policies to refer to.") \
    F(M, 6, exportable, BOOL, 0, 0, 0, NULL, NULL, "Whether ExportWrapped may give shares to their holders.") \
    F(M, 7, threshold, U64, CM_FF_REQUIRED, 32, 0, NULL, NULL, "So many shares make a signature: at least 2.") \
    F(M, 8, participants, U64, CM_FF_REQUIRED, 32, 0, NULL, NULL, "So many shares are dealt.")
#define CM_FIELDS_DealThresholdAnswer(F, M) \
    F(M, 1, public_key, BYTES, 0, 64, 0, NULL, NULL, "The threshold key's public key.") \
    F(M, 2, group, BYTES, 0, 2048, 0, NULL, NULL, "What all may know (spec/frost.md): the dealer's commitments.") \
    F(M, 3, keys, MSG, CM_FF_REPEATED, 0, 32, NULL, &cm_message_Key, "The shares.") CM_LEAF(F, M)
#define CM_FIELDS_VerifyRequest(F, M) CM_FIELDS_SignRequest(F, M) \
    F(M, 9, signature, BYTES, CM_FF_REQUIRED, 20480, 0, NULL, NULL, "The signature.")
#define CM_FIELDS_VerifyAnswer(F, M) \
    F(M, 1, valid, BOOL, 0, 0, 0, NULL, NULL, "Whether it is this key's over this data.") \
    F(M, 2, version, U64, 0, 0, 0, NULL, NULL, "The version that was used.") CM_LEAF(F, M)

#define CM_FIELDS_EncryptRequest(F, M) CM_NAMED_KEY(F, M) \
    F(M, 6, plaintext, BYTES, CM_FF_SECRET, 1048576, 0, NULL, NULL, "What to encrypt: keys and small texts, not models.") \
    F(M, 8, aad, BYTES, 0, 65536, 0, NULL, NULL, "Bound to it; needed again to decrypt.") CM_CLAIMS(F, M)
#define CM_FIELDS_EncryptAnswer(F, M) \
    F(M, 1, ciphertext, BYTES, 0, 1114112, 0, NULL, NULL, "Says itself which version opens it.") \
    F(M, 2, version, U64, 0, 0, 0, NULL, NULL, "The version that encrypted.") CM_LEAF(F, M)
#define CM_FIELDS_DecryptRequest(F, M) CM_NAMED_KEY(F, M) \
    F(M, 6, ciphertext, BYTES, CM_FF_REQUIRED, 1114112, 0, NULL, NULL, "As Encrypt gave it.") \
    F(M, 8, aad, BYTES, 0, 65536, 0, NULL, NULL, "As it was given to Encrypt.") CM_CLAIMS(F, M)
#define CM_FIELDS_DecryptAnswer(F, M) \
    F(M, 1, plaintext, BYTES, CM_FF_SECRET, 1048576, 0, NULL, NULL, "What was encrypted.") \
    F(M, 2, version, U64, 0, 0, 0, NULL, NULL, "The version that opened it.") CM_RECEIPT(F, M)

#define CM_FIELDS_EncapsulateAnswer(F, M) \
    F(M, 1, ciphertext, BYTES, 0, 4096, 0, NULL, NULL, "For Decapsulate.") \
    F(M, 2, shared_secret, BYTES, CM_FF_SECRET, 64, 0, NULL, NULL, "The secret that both ends have.") \
    F(M, 3, version, U64, 0, 0, 0, NULL, NULL, "The version that made it.") CM_LEAF(F, M)
#define CM_FIELDS_DecapsulateRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, ciphertext, BYTES, CM_FF_REQUIRED, 4096, 0, NULL, NULL, "From Encapsulate.") CM_CLAIMS(F, M)
#define CM_FIELDS_DecapsulateAnswer(F, M) \
    F(M, 1, shared_secret, BYTES, CM_FF_SECRET, 64, 0, NULL, NULL, "The secret that both ends have.") \
    F(M, 2, version, U64, 0, 0, 0, NULL, NULL, "The version that was used.") CM_RECEIPT(F, M)

#define CM_FIELDS_GenerateDataKeyRequest(F, M) CM_NAMED_KEY(F, M) \
    F(M, 6, bytes, U64, 0, 64, 0, NULL, NULL, "16 to 64; 32 when absent.") \
    F(M, 7, sealed_only, BOOL, 0, 0, 0, NULL, NULL, "Leave the plain key out.") \
    F(M, 8, aad, BYTES, 0, 65536, 0, NULL, NULL, "Bound to it; needed again to unwrap.") CM_CLAIMS(F, M)
#define CM_FIELDS_GenerateDataKeyAnswer(F, M) \
    F(M, 1, wrapped, BYTES, 0, 1024, 0, NULL, NULL, "To be kept beside the data.") \
    F(M, 2, plain, BYTES, CM_FF_SECRET, 64, 0, NULL, NULL, "To be used and forgotten.") \
    F(M, 3, version, U64, 0, 0, 0, NULL, NULL, "The version that wrapped it.") CM_RECEIPT(F, M)
#define CM_FIELDS_WrapRequest(F, M) CM_NAMED_KEY(F, M) \
    F(M, 6, plain, BYTES, CM_FF_REQUIRED | CM_FF_SECRET, 4096, 0, NULL, NULL, "The key to wrap.") \
    F(M, 8, aad, BYTES, 0, 65536, 0, NULL, NULL, "Bound to it; needed again to unwrap.") CM_CLAIMS(F, M)
#define CM_FIELDS_WrapAnswer(F, M) \
    F(M, 1, wrapped, BYTES, 0, 8192, 0, NULL, NULL, "Says itself which version opens it.") \
    F(M, 2, version, U64, 0, 0, 0, NULL, NULL, "The version that wrapped it.") CM_LEAF(F, M)
#define CM_FIELDS_UnwrapRequest(F, M) CM_NAMED_KEY(F, M) \
    F(M, 6, wrapped, BYTES, CM_FF_REQUIRED, 8192, 0, NULL, NULL, "As Wrap or GenerateDataKey gave it.") \
    F(M, 8, aad, BYTES, 0, 65536, 0, NULL, NULL, "As it was given then.") CM_CLAIMS(F, M)
#define CM_FIELDS_UnwrapAnswer(F, M) \
    F(M, 1, plain, BYTES, CM_FF_SECRET, 4096, 0, NULL, NULL, "The key.") \
    F(M, 2, version, U64, 0, 0, 0, NULL, NULL, "The version that opened it.") CM_RECEIPT(F, M)

#define CM_FIELDS_MacRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, data, BYTES, CM_FF_REQUIRED, 1048576, 0, NULL, NULL, "The message.") CM_CLAIMS(F, M)
#define CM_FIELDS_MacAnswer(F, M) \
    F(M, 1, mac, BYTES, 0, 64, 0, NULL, NULL, "The MAC.") \
    F(M, 2, version, U64, 0, 0, 0, NULL, NULL, "The version that made it.") CM_LEAF(F, M)
#define CM_FIELDS_VerifyMacRequest(F, M) CM_FIELDS_MacRequest(F, M) \
    F(M, 9, mac, BYTES, CM_FF_REQUIRED, 64, 0, NULL, NULL, "The MAC.")
#define CM_FIELDS_BatchItem(F, M) \
    F(M, 1, data, BYTES, CM_FF_SECRET, 65792, 0, NULL, NULL, "The message, digest, mu, plaintext or ciphertext.") \
    F(M, 2, context, BYTES, 0, 16384, 0, NULL, NULL, "The signature's context string, or aad.") \
    F(M, 3, form, ENUM, 0, 0, 0, cm_enum_form, NULL, "Signatures: how data is to be taken; message when absent.") \
    F(M, 4, signature, BYTES, 0, 20480, 0, NULL, NULL, "To verify.") \
    F(M, 5, poai, MSG, 0, 0, 0, NULL, &cm_message_PoAIItem, "sign_poai: the receipt, in place of data.")
#define CM_FIELDS_BatchRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, operation, ENUM, CM_FF_REQUIRED, 0, 0, cm_enum_batch, NULL, "What to do with each item; grants name it as they name the operation alone.") \
    F(M, 7, items, MSG, CM_FF_REQUIRED | CM_FF_REPEATED, 0, 128, NULL, &cm_message_BatchItem, "1 to 128.") \
    F(M, 10, realm, BYTES, 0, 32, 0, NULL, NULL, "sign_poai: what all of them are meant for.") \
    F(M, 12, ttl_ms, U64, 0, 3600000, 0, NULL, NULL, "sign_poai: how long they are valid; an hour when absent.") CM_SECOND_KEY(F, M) CM_CLAIMS(F, M)
#define CM_FIELDS_BatchResult(F, M) \
    F(M, 1, data, BYTES, CM_FF_SECRET, 131072, 0, NULL, NULL, "The signature, ciphertext, plaintext, shared secret, MAC or receipt.") \
    F(M, 2, valid, BOOL, 0, 0, 0, NULL, NULL, "Verification: whether it is this key's over this data.") \
    F(M, 3, version, U64, 0, 0, 0, NULL, NULL, "The key's version that was used.") \
    F(M, 4, error, TEXT, 0, 64, 0, NULL, NULL, "Name of the reason for which this item failed; absent: it did not.")
#define CM_FIELDS_BatchAnswer(F, M) \
    F(M, 1, results, MSG, CM_FF_REPEATED, 0, 128, NULL, &cm_message_BatchResult, "One for each item, in their order.") CM_RECEIPT(F, M)
#define CM_FIELDS_RandomRequest(F, M) CM_TENANT(F, M) \
    F(M, 4, bytes, U64, 0, 4096, 0, NULL, NULL, "1 to 4096; 32 when absent.")
#define CM_FIELDS_RandomAnswer(F, M) \
    F(M, 1, data, BYTES, CM_FF_SECRET, 4096, 0, NULL, NULL, "Random bytes.") CM_LEAF(F, M)

#define CM_FIELDS_ExportWrappedRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, recipient, BYTES, CM_FF_REQUIRED, 4096, 0, NULL, NULL, "The recipient's ML-KEM or X-Wing public key.") CM_CLAIMS(F, M)
#define CM_FIELDS_ExportWrappedAnswer(F, M) \
    F(M, 1, wrapped, BYTES, 0, 16384, 0, NULL, NULL, "The secret, HPKE-sealed to the recipient.") \
    F(M, 2, version, U64, 0, 0, 0, NULL, NULL, "The key's version.") CM_RECEIPT(F, M)
#define CM_FIELDS_ReleaseKeyRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, wrapped, BYTES, 0, 8192, 0, NULL, NULL, "A key of 32 bytes that this one wrapped; absent: the key itself.") \
    F(M, 7, digest, BYTES, 0, 32, 0, NULL, NULL, "Of a model's key (keyspace: the model, key: its version): the model's digest, as it was given to EncryptModelWeights.") \
    F(M, 8, aad, BYTES, 0, 65536, 0, NULL, NULL, "As it was given to Wrap.") \
    F(M, 28, attested_key, BYTES, CM_FF_REQUIRED, 2048, 0, NULL, NULL, "The machine's ML-KEM or X-Wing public key, to which the evidence is bound.") CM_CLAIMS(F, M)
#define CM_FIELDS_ReleaseKeyAnswer(F, M) \
    F(M, 1, sealed, BYTES, 0, 16384, 0, NULL, NULL, "The key, HPKE-sealed to attested_key (spec/kms-keys.md, KM-27).") \
    F(M, 2, version, U64, 0, 0, 0, NULL, NULL, "The version that was used.") \
    F(M, 3, type, TEXT, 0, 32, 0, NULL, NULL, "What was sealed; a wrapped key: `AES-256`.") \
    F(M, 4, policy, TEXT, 0, 128, 0, NULL, NULL, "The policy that accepted the evidence.") \
    F(M, 5, policy_version, U64, 0, 0, 0, NULL, NULL, "Its version.") \
    F(M, 6, tier, U64, 0, 0, 0, NULL, NULL, "The privacy tier that it grants.") \
    F(M, 7, sentence, TEXT, 0, 512, 0, NULL, NULL, "Why.") CM_RECEIPT(F, M)
#define CM_FIELDS_RcarRequest(F, M) \
    F(M, 4, session, TEXT, 0, 1024, 0, NULL, NULL, "Of the answer before: in HTTP the cookie `kbs-session-id`.") \
    F(M, 5, body, BYTES, CM_FF_REQUIRED, 262144, 0, NULL, NULL, "The protocol's JSON: in HTTP the body itself.")
#define CM_FIELDS_RcarResourceRequest(F, M) CM_TENANT(F, M) \
    F(M, 2, key, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 128, 0, NULL, NULL, "The tag: the key.") \
    F(M, 3, keyspace, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 128, 0, NULL, NULL, "The type: its keyspace.") \
    F(M, 4, session, TEXT, CM_FF_QUERY, 1024, 0, NULL, NULL, "In HTTP the cookie, or the bearer token that RcarAttest gave.")
#define CM_FIELDS_RcarAnswer(F, M) \
    F(M, 1, body, BYTES, 0, 131072, 0, NULL, NULL, "The protocol's JSON: in HTTP the body itself.") \
    F(M, 2, session, TEXT, 0, 1024, 0, NULL, NULL, "To be brought along with the next request: in HTTP a cookie.") CM_LEAF(F, M)
#define CM_FIELDS_AttestKeyAnswer(F, M) \
    F(M, 1, statement, BYTES, 0, 8192, 0, NULL, NULL, "A CBOR record on the key (spec/kms.md); its SHA-256 stands in the leaf.") CM_RECEIPT(F, M)

#define CM_FIELDS_CreateModelKeyspaceRequest(F, M) CM_TENANT(F, M) \
    F(M, 3, model, TEXT, CM_FF_REQUIRED, 128, 0, NULL, NULL, "The model: its keys are in a keyspace of their own.") \
    F(M, 4, type, TEXT, 0, 32, 0, NULL, NULL, "Type of its keys; `AES-256` when absent.") \
    F(M, 5, daily_budget, U64, 0, 1000000000, 0, NULL, NULL, "Releases a day for each version; 0: 1000.") \
    F(M, 6, rotation_days, U64, 0, 3650, 0, NULL, NULL, "Period of its keys; when absent, `rotation.model` of the configuration: 90.") \
    F(M, 7, release_policy, TEXT, 0, 128, 0, NULL, NULL, "An attestation policy of the tenant. Content keys that its keys wrapped leave the server only by ReleaseKey, to evidence that meets it. Can't be changed later.")
#define CM_FIELDS_ModelKeyspace(F, M) \
    F(M, 1, tenant, TEXT, 0, 64, 0, NULL, NULL, "The tenant.") \
    F(M, 3, model, TEXT, 0, 128, 0, NULL, NULL, "The model.") \
    F(M, 4, type, TEXT, 0, 32, 0, NULL, NULL, "Type of its keys.") \
    F(M, 5, daily_budget, U64, 0, 0, 0, NULL, NULL, "Releases a day for each version.") \
    F(M, 6, rotation_days, U64, 0, 0, 0, NULL, NULL, "Period of its keys.") \
    F(M, 7, created_ms, U64, 0, 0, 0, NULL, NULL, "When it was made.") \
    F(M, 8, release_policy, TEXT, 0, 128, 0, NULL, NULL, "The attestation policy under which ReleaseKey gives out what its keys wrapped.") CM_LEAF(F, M)
#define CM_MODEL_VERSION(F, M) CM_TENANT(F, M) \
    F(M, 2, version, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 128, 0, NULL, NULL, "The model's version.") \
    F(M, 3, model, TEXT, CM_FF_REQUIRED | CM_FF_PATH, 128, 0, NULL, NULL, "The model.")
#define CM_FIELDS_EncryptModelWeightsRequest(F, M) CM_MODEL_VERSION(F, M) \
    F(M, 6, content_key, BYTES, CM_FF_SECRET, 64, 0, NULL, NULL, "The container's content key, 32 bytes; absent: a new one is made.") \
    F(M, 7, digest, BYTES, CM_FF_REQUIRED, 32, 0, NULL, NULL, "The model's digest, 32 bytes: the wrapped key is bound to it.") CM_CLAIMS(F, M)
#define CM_FIELDS_EncryptModelWeightsAnswer(F, M) \
    F(M, 1, wrapped, BYTES, 0, 1024, 0, NULL, NULL, "The wrapped content key.") \
    F(M, 2, content_key, BYTES, CM_FF_SECRET, 64, 0, NULL, NULL, "The content key, where it was made here.") \
    F(M, 3, key_version, U64, 0, 0, 0, NULL, NULL, "The version of the model's key.") CM_RECEIPT(F, M)
#define CM_FIELDS_DecryptModelWeightsRequest(F, M) CM_MODEL_VERSION(F, M) \
    F(M, 6, wrapped, BYTES, CM_FF_REQUIRED, 1024, 0, NULL, NULL, "The wrapped content key.") \
    F(M, 7, digest, BYTES, CM_FF_REQUIRED, 32, 0, NULL, NULL, "The model's digest.") CM_CLAIMS(F, M)
#define CM_FIELDS_DecryptModelWeightsAnswer(F, M) \
    F(M, 1, content_key, BYTES, CM_FF_SECRET, 64, 0, NULL, NULL, "The container's content key.") \
    F(M, 2, key_version, U64, 0, 0, 0, NULL, NULL, "The version of the model's key.") CM_RECEIPT(F, M)

/* A second key for receipts and settlements: the engine finds it by these numbers. */
#define CM_SECOND_KEY(F, M) \
    F(M, 23, second_key, TEXT, 0, 128, 0, NULL, NULL, "A key of the other kind (secp256k1, ML-DSA-65) in the same keyspace: both signatures count. Absent: the one that the key demands, if it does.") \
    F(M, 24, second_version, U64, 0, 0, 0, NULL, NULL, "Its version; absent: the current one.")
#define CM_MARKET_REALM(F, M) \
    F(M, 10, realm, BYTES, 0, 32, 0, NULL, NULL, "The chain, contract or tenant it is meant for: 32 bytes; absent: any.")
#define CM_MARKET_NONCE(F, M) \
    F(M, 13, nonce, BYTES, 0, 32, 0, NULL, NULL, "32 random bytes, good once; absent: the server's.")
#define CM_POAI_TTL(F, M) \
    F(M, 12, ttl_ms, U64, 0, 3600000, 0, NULL, NULL, "How long it is valid; an hour when absent.")
#define CM_POAI_FIELDS(F, M) \
    F(M, 6, model, BYTES, CM_FF_REQUIRED, 32, 0, NULL, NULL, "The model's Merkle identity with model_root, else Keccak-256 of its name.") \
    F(M, 7, input, BYTES, CM_FF_REQUIRED, 32, 0, NULL, NULL, "Digest of the input.") \
    F(M, 8, output, BYTES, CM_FF_REQUIRED, 32, 0, NULL, NULL, "Digest of the output.") \
    F(M, 9, node, BYTES, CM_FF_REQUIRED, 32, 0, NULL, NULL, "Who computed.") \
    F(M, 11, compute_ms, U64, 0, 0, 0, NULL, NULL, "How long it took, in milliseconds.") \
    F(M, 19, attestation, BYTES, 0, 32, 0, NULL, NULL, "Digest of an attestation, if there is one.") \
    F(M, 20, proof, BYTES, 0, 32, 0, NULL, NULL, "Digest of a proof, if there is one.") \
    F(M, 21, model_root, BOOL, 0, 0, 0, NULL, NULL, "Whether model is the Merkle identity of the weights.") \
    CM_MARKET_NONCE(F, M)
#define CM_FIELDS_PoAIItem(F, M) CM_POAI_FIELDS(F, M)
#define CM_FIELDS_SignPoAIRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    CM_POAI_FIELDS(F, M) CM_MARKET_REALM(F, M) CM_POAI_TTL(F, M) CM_SECOND_KEY(F, M) CM_CLAIMS(F, M)
#define CM_FIELDS_SignPoAIBatchRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, receipts, MSG, CM_FF_REQUIRED | CM_FF_REPEATED, 0, 8192, NULL, &cm_message_PoAIItem, "1 to 8192, without nonces: those are made of the batch's.") \
    CM_MARKET_REALM(F, M) CM_POAI_TTL(F, M) CM_MARKET_NONCE(F, M) CM_SECOND_KEY(F, M) CM_CLAIMS(F, M)
#define CM_FIELDS_SignPoAIBatchAnswer(F, M) \
    F(M, 1, head, BYTES, 0, 8192, 0, NULL, NULL, "The batch's head and its signatures.") \
    F(M, 2, root, BYTES, 0, 32, 0, NULL, NULL, "Of the tree over the receipts.") \
    F(M, 3, version, U64, 0, 0, 0, NULL, NULL, "The version that signed.") \
    F(M, 4, receipts, BYTES, CM_FF_REPEATED, 1024, 8192, NULL, NULL, "Statement, place and inclusion path of each, in their order: with the head behind it, each is a record.") CM_RECEIPT(F, M)
#define CM_FIELDS_SignPoAIRootRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, root, BYTES, CM_FF_REQUIRED, 32, 0, NULL, NULL, "Of the tree that the caller made (spec/market.md, section 6).") \
    F(M, 7, count, U64, CM_FF_REQUIRED, 1048576, 0, NULL, NULL, "Its leaves.") \
    CM_MARKET_REALM(F, M) CM_POAI_TTL(F, M) CM_MARKET_NONCE(F, M) CM_SECOND_KEY(F, M) CM_CLAIMS(F, M)
#define CM_FIELDS_SignHMMSettlementRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, job, BYTES, CM_FF_REQUIRED, 32, 0, NULL, NULL, "The job's id.") \
    F(M, 7, provider, BYTES, CM_FF_REQUIRED, 20, 0, NULL, NULL, "Address of who is paid.") \
    F(M, 8, consumer, BYTES, CM_FF_REQUIRED, 20, 0, NULL, NULL, "Address of who pays.") \
    F(M, 9, asset, BYTES, 0, 20, 0, NULL, NULL, "Address of the token; absent: the chain's own coin.") CM_MARKET_REALM(F, M) CM_MARKET_NONCE(F, M) \
    F(M, 12, ttl_ms, U64, 0, 86400000, 0, NULL, NULL, "How long the settlement is valid; a day when absent.") \
    F(M, 19, amount, TEXT, CM_FF_REQUIRED, 78, 0, NULL, NULL, "In decimal digits.") \
    F(M, 20, unit, TEXT, CM_FF_REQUIRED, 8, 0, NULL, NULL, "`wei`: no other unit is taken.") \
    F(M, 21, receipt, BYTES, CM_FF_REQUIRED, 8192, 0, NULL, NULL, "The record of the receipt that is paid for.") \
    F(M, 22, receipt_public_key, BYTES, 0, 1952, 0, NULL, NULL, "Whose receipts the caller trusts; absent: the keys that sign.") \
    F(M, 25, receipt_second_public_key, BYTES, 0, 1952, 0, NULL, NULL, "Of receipts with two signatures: the other key.") CM_SECOND_KEY(F, M) CM_CLAIMS(F, M)
#define CM_FIELDS_SignMarketAnswer(F, M) \
    F(M, 1, record, BYTES, 0, 8192, 0, NULL, NULL, "The statement and its signatures (spec/market.md).") \
    F(M, 2, digest, BYTES, 0, 32, 0, NULL, NULL, "The statement's digest.") \
    F(M, 3, version, U64, 0, 0, 0, NULL, NULL, "The version that signed.") \
    F(M, 4, again, BOOL, 0, 0, 0, NULL, NULL, "A settlement that was signed before: the same was asked again.") CM_RECEIPT(F, M)
#define CM_FIELDS_VerifyMarketRequest(F, M) CM_NAMED_KEY(F, M) CM_KEY_VERSION(F, M) \
    F(M, 6, record, BYTES, CM_FF_REQUIRED, 8192, 0, NULL, NULL, "The record to verify.") \
    F(M, 7, accept, BOOL, 0, 0, 0, NULL, NULL, "Use it up: the same nonce, or job, is refused from then on.") \
    CM_MARKET_REALM(F, M) \
    F(M, 21, receipt, BYTES, 0, 8192, 0, NULL, NULL, "Of a settlement: the record of the receipt that it has to name.") \
    F(M, 25, signed_by, ENUM, 0, 0, 0, cm_enum_market, NULL, "Which algorithms must have signed; absent: whatever the keys are.") CM_SECOND_KEY(F, M) CM_CLAIMS(F, M)
#define CM_FIELDS_VerifyMarketAnswer(F, M) \
    F(M, 1, valid, BOOL, 0, 0, 0, NULL, NULL, "Whether it is good.") \
    F(M, 2, why, TEXT, 0, 64, 0, NULL, NULL, "The reason's name when it is not.") \
    F(M, 3, version, U64, 0, 0, 0, NULL, NULL, "The version it was verified with.") \
    F(M, 4, unproven, TEXT, CM_FF_REPEATED, 128, 8, NULL, NULL, "What a good receipt does not prove, a sentence each.") CM_LEAF(F, M)

#define CM_MESSAGES_KEYS(X) \
    X(KeyVersion, "One version of a key.") \
    X(Key, "What is known of a key. Never the key itself.") \
    X(CreateKeyRequest, "A new key, made where keys are held.") \
    X(ImportKeyRequest, "A key from outside.") \
    X(ImportWrappedRequest, "A key from outside that only the keeper of keys sees in the clear.") \
    X(KeyRequest, "Names a key.") \
    X(KeyVersionRequest, "Names a key, and a version of it.") \
    X(ListKeysRequest, "A page of keys.") \
    X(ListKeysAnswer, "A page of keys.") \
    X(UpdateKeyRequest, "What is set is changed.") \
    X(SetKeyStateRequest, "Moves a version to another state.") \
    X(ScheduleDestructionRequest, "Destroys a key, after a time in which that can be taken back.") \
    X(DeleteKeyRequest, "Removes what is left of a destroyed key.") \
    X(PublicKeyAnswer, "A public key.") \
    X(SignRequest, "Something to sign.") \
    X(SignAnswer, "A signature.") \
    X(SignThresholdRequest, "One signer's part in a threshold signature (FROST).") \
    X(SignThresholdAnswer, "One signer's part.") \
    X(AggregateThresholdRequest, "All signers' parts of a threshold signature.") \
    X(DealThresholdRequest, "A threshold key, dealt as shares.") \
    X(DealThresholdAnswer, "A threshold key.") \
    X(VerifyRequest, "A signature to verify.") \
    X(VerifyAnswer, "Whether it is good.") \
    X(PoAIItem, "A receipt to sign, one of many.") \
    X(SignPoAIBatchRequest, "Receipts to sign as one batch.") \
    X(SignPoAIBatchAnswer, "A signed batch.") \
    X(SignPoAIRootRequest, "The root of a batch that the caller made.") \
    X(SignPoAIRequest, "A receipt for an inference, to sign.") \
    X(SignHMMSettlementRequest, "A settlement to sign, and the receipt it pays for.") \
    X(SignMarketAnswer, "A signed receipt or settlement.") \
    X(VerifyMarketRequest, "A receipt or settlement to verify.") \
    X(VerifyMarketAnswer, "Whether it is good, and what it leaves open.") \
    X(EncryptRequest, "Something small to encrypt.") \
    X(EncryptAnswer, "A ciphertext.") \
    X(DecryptRequest, "A ciphertext.") \
    X(DecryptAnswer, "What was in it.") \
    X(EncapsulateAnswer, "A fresh shared secret.") \
    X(DecapsulateRequest, "A KEM ciphertext.") \
    X(DecapsulateAnswer, "The shared secret.") \
    X(GenerateDataKeyRequest, "A fresh key for data.") \
    X(GenerateDataKeyAnswer, "A fresh key, plain and wrapped.") \
    X(WrapRequest, "A key to wrap.") \
    X(WrapAnswer, "A wrapped key.") \
    X(UnwrapRequest, "A wrapped key.") \
    X(UnwrapAnswer, "The key.") \
    X(MacRequest, "Something to authenticate.") \
    X(MacAnswer, "Its MAC.") \
    X(VerifyMacRequest, "A MAC to verify.") \
    X(BatchItem, "One item of a batch.") \
    X(BatchRequest, "Many items for one key and one operation.") \
    X(BatchResult, "What became of an item.") \
    X(BatchAnswer, "What became of the items.") \
    X(RandomRequest, "How many.") \
    X(RandomAnswer, "Random bytes.") \
    X(ExportWrappedRequest, "A key to give out, to one recipient.") \
    X(ExportWrappedAnswer, "The key, for that recipient alone.") \
    X(ReleaseKeyRequest, "Evidence, and what is to be released to it.") \
    X(ReleaseKeyAnswer, "A key for the machine that showed the evidence.") \
    X(RcarRequest, "A message of the key broker protocol.") \
    X(RcarResourceRequest, "A resource of the key broker protocol.") \
    X(RcarAnswer, "An answer of the key broker protocol.") \
    X(AttestKeyAnswer, "A statement on a key that the log's signature vouches for.") \
    X(CreateModelKeyspaceRequest, "A keyspace for one model.") \
    X(ModelKeyspace, "A model's keyspace.") \
    X(EncryptModelWeightsRequest, "The content key of a sealed model. The weights stay where they are.") \
    X(EncryptModelWeightsAnswer, "The content key, wrapped by the key of this model and version.") \
    X(DecryptModelWeightsRequest, "A wrapped content key. The weights stay where they are.") \
    X(DecryptModelWeightsAnswer, "The content key.")

/* clang-format on */
#endif
