import { z } from 'zod';

/** A name that a header can carry once it is percent-encoded. */
export const callerNameSchema = z
  .string()
  .min(1)
  .max(1_024)
  .refine((name) => name.isWellFormed(), 'has half a surrogate pair, which no header can carry');

/** A key is stored as its SHA-256 in lower-case hex. */
export const apiKeySchema = z.strictObject({
  name: callerNameSchema,
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 in lower-case hex'),
  admin: z.boolean().optional(),
});
export type ApiKey = z.infer<typeof apiKeySchema>;

export const apiKeysSchema = z.array(apiKeySchema);

/** Signatures by a private key alone: with `none` and HS* whoever can read the public key could sign. */
const jwsAlgorithm = z.enum([
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA'] as const),
]);

const isSecure = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname);

const secureUrl = z
  .url({ protocol: /^https?$/ })
  .refine(
    (url) => !URL.canParse(url) || isSecure(new URL(url)),
    'not https: whoever is on the way could give the keys',
  );

/** Where tokens come from, as its discovery document has it. */
export const issuerMetadataSchema = z.object({ issuer: z.string(), jwks_uri: secureUrl });

export const oidcConfigSchema = z.strictObject({
  mode: z.literal('oidc'),
  issuer: secureUrl.describe('As it stands in `iss`; the keys are found by its /.well-known/openid-configuration.'),
  audience: z.string().min(1).describe('What `aud` must be, or hold.'),
  algorithms: z.array(jwsAlgorithm).min(1).default(['RS256', 'ES256']),
  usernameClaim: z.string().min(1).default('sub').describe('The claim that is the name of the caller.'),
  groupsClaim: z.string().min(1).default('groups'),
  adminGroups: z.array(z.string().min(1)).default([]).describe("Whose members see others' sessions too."),
});
export type OidcConfig = z.infer<typeof oidcConfigSchema>;

const kubernetesAuthSchema = z.strictObject({
  mode: z.literal('kubernetes'),
  audiences: z.array(z.string().min(1)).min(1).describe('A token must be made out to one of these.'),
});

const apiKeysAuthSchema = z
  .strictObject({
    mode: z.literal('apiKeys'),
    keys: apiKeysSchema.optional(),
    keysFile: z
      .string()
      .min(1)
      .optional()
      .describe('A JSON file with what `keys` holds; it is read again when it changes.'),
  })
  .refine(({ keys, keysFile }) => (keys === undefined) !== (keysFile === undefined), {
    path: ['keys'],
    message: 'either keys or keysFile',
  });
export type ApiKeysConfig = z.infer<typeof apiKeysAuthSchema>;

/** Who is let in, and how far. */
export const authConfigSchema = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('none') }),
  apiKeysAuthSchema,
  kubernetesAuthSchema,
  oidcConfigSchema,
]);
export type AuthConfig = z.infer<typeof authConfigSchema>;
