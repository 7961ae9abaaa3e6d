import { callerNameSchema, type OidcConfig, ReplPoolError } from '@replpool/protocol';
import type { JWTPayload } from 'jose';
import { ALL, type Caller, OWN } from '../caller.ts';

/** Who the claims of a token that was verified are about. */
export function callerOf(claims: JWTPayload, config: OidcConfig): Caller | ReplPoolError {
  const { usernameClaim, groupsClaim, adminGroups } = config;
  const name = callerNameSchema.safeParse(claims[usernameClaim]);
  if (!name.success) return refused(`the token has no name in its claim ${usernameClaim}`);
  // Whoever may type an address into a form would else be its owner; the API server of Kubernetes has the same rule.
  // Some issuers leave it out; what is neither absent nor true, such as the text "false", vouches for nothing.
  const { email_verified: isVerified = true } = claims;
  if (usernameClaim === 'email' && isVerified !== true) return refused('the email of the token is not verified');
  const isAdmin = groupsOf(claims[groupsClaim]).some((group) => adminGroups.includes(group));
  return { name: name.data, rights: isAdmin ? ALL : OWN };
}

const refused = (what: string): ReplPoolError => new ReplPoolError('UNAUTHENTICATED', what);

/** Some issuers give one group as a text. */
function groupsOf(claim: unknown): string[] {
  if (typeof claim === 'string') return [claim];
  return Array.isArray(claim) ? claim.filter((group) => typeof group === 'string') : [];
}
