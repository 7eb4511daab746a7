import Stripe from 'stripe';
import { stripeWebhooks, type StripeSigningSecrets } from '../../../core/providers/stripe/webhooks';
import { SIGNATURE_TOLERANCE_SECONDS } from '../../../core/providers/webhook-scheme';
import { MAX_BODY_BYTES } from '../../../lambdas/webhook/contract';
import { verify } from '../../../lambdas/webhook/core';
import { stripeEvent, subscription } from '../../factories/stripe-objects';

const NOW = new Date('2026-11-21T12:00:00Z');
const SECRETS: StripeSigningSecrets = { current: 'whsec_current' };
const event = stripeEvent('customer.subscription.created', subscription());
const payload = JSON.stringify(event);

/** A header as Stripe would send it `ageSeconds` after signing, by the official library. */
function sign(body: string, { secret = SECRETS.current, ageSeconds = 0 } = {}): string {
  const timestamp = Math.floor(NOW.getTime() / 1000) - ageSeconds;
  return Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp });
}

const check = (body: string, signature: string | undefined, secrets = SECRETS, livemode = false) =>
  verify(stripeWebhooks, { body: Buffer.from(body), signature }, secrets, livemode, NOW);

describe('the webhook accepts', () => {
  test('an event that Stripe has just signed, with its body unchanged', () => {
    expect(check(payload, sign(payload))).toEqual({ accepted: true, event, message: payload });
  });

  test.each([-SIGNATURE_TOLERANCE_SECONDS, SIGNATURE_TOLERANCE_SECONDS])('a signature %i seconds old', (ageSeconds) => {
    expect(check(payload, sign(payload, { ageSeconds }))).toMatchObject({ accepted: true });
  });

  test('a signature by the previous secret, until it expires', () => {
    const signature = sign(payload, { secret: 'whsec_previous' });
    const secrets = (previousExpiresAt?: string) => ({
      ...SECRETS,
      previous: 'whsec_previous',
      ...(previousExpiresAt && { previousExpiresAt: new Date(previousExpiresAt) }),
    });

    expect(check(payload, signature, secrets())).toMatchObject({ accepted: true });
    expect(check(payload, signature, secrets('2026-11-21T12:00:01Z'))).toMatchObject({ accepted: true });
    expect(check(payload, signature, secrets('2026-11-21T12:00:00Z'))).toMatchObject({ accepted: false });
  });

  test("a signature by the secret of the endpoint for connected accounts, or by that endpoint's previous one until it expires", () => {
    const secrets = {
      ...SECRETS,
      connect: 'whsec_connect',
      connectPrevious: 'whsec_connect_before',
      connectPreviousExpiresAt: NOW,
    };
    const signedBy = (secret: string) => sign(payload, { secret });

    expect(check(payload, signedBy('whsec_connect'), secrets)).toMatchObject({ accepted: true });
    expect(check(payload, signedBy('whsec_current'), secrets)).toMatchObject({ accepted: true });
    expect(check(payload, signedBy('whsec_connect_before'), secrets)).toMatchObject({ accepted: false });
    expect(
      check(payload, signedBy('whsec_connect_before'), { ...secrets, connectPreviousExpiresAt: undefined }),
    ).toMatchObject({ accepted: true });
  });

  test.each([false, true])('and ignores an event of a connected account in the other mode (live: %s)', (live) => {
    const body = JSON.stringify({ ...event, livemode: live, account: 'acct_1' });

    expect(check(body, sign(body), SECRETS, !live)).toEqual({
      accepted: true,
      event: JSON.parse(body),
      ignored: `A ${live ? 'live' : 'test'} event of a connected account`,
    });
    expect(check(body, sign(body), SECRETS, live)).toMatchObject({ message: body });
  });

  test('a header with two v1 signatures, as during a roll of the secret', () => {
    const other = sign(payload, { secret: 'whsec_other' }).split(',')[1];
    const [time, own] = sign(payload).split(',');

    expect(check(payload, `${time},${other},${own}`)).toMatchObject({ accepted: true });
  });

  test('a secret that was stored with a trailing newline', () => {
    expect(check(payload, sign(payload), { current: 'whsec_current\n' })).toMatchObject({ accepted: true });
  });

  test('an event with text that SQS rejects, and escapes that text', () => {
    const body = JSON.stringify(stripeEvent('x', { object: 'x', note: 'a\uFFFEb\uFFFF' }));
    const verdict = check(body, sign(body));

    expect(verdict).toMatchObject({ accepted: true, message: expect.not.stringMatching(/[\uFFFE\uFFFF]/) });
    expect(JSON.parse((verdict as { message: string }).message)).toEqual(JSON.parse(body));
  });

  test('an event of a type that has no effect', () => {
    const body = JSON.stringify(stripeEvent('some.future_type', { object: 'future' }));

    expect(check(body, sign(body))).toMatchObject({ accepted: true, event: { type: 'some.future_type' } });
  });
});

describe('the webhook rejects with a one-line reason', () => {
  const oversized = JSON.stringify({ ...event, padding: 'x'.repeat(MAX_BODY_BYTES) });
  const tampered = payload.replace('2900', '1');
  const notJson = 'subscription=sub_1';
  const notAnEvent = JSON.stringify({ object: 'customer', id: 'cus_1' });
  const live = JSON.stringify({ ...event, livemode: true });

  test.each([
    ['an unsigned body', payload, undefined, 400, 'The Stripe-Signature header is missing'],
    ['an empty body', '', sign(''), 400, 'The body is empty'],
    ['a body signed at two times', payload, `${sign(payload)},t=1`, 400, 'malformed; expected t=…,v1=…'],
    ['a malformed header', payload, 'v1=abc', 400, 'malformed; expected t=…,v1=…'],
    [
      'a body signed with another secret',
      payload,
      sign(payload, { secret: 'whsec_x' }),
      400,
      "does not match this endpoint's signing secret",
    ],
    ['a body changed after it was signed', tampered, sign(payload), 400, 'does not match'],
    [
      'a signature that is too old',
      payload,
      sign(payload, { ageSeconds: 301 }),
      400,
      'The signature is 301 seconds old',
    ],
    [
      'a signature from the future',
      payload,
      sign(payload, { ageSeconds: -301 }),
      400,
      'The signature is 301 seconds in the future',
    ],
    ['an oversized body', oversized, sign(oversized), 413, `at most ${MAX_BODY_BYTES} are accepted`],
    ['a body that is not JSON', notJson, sign(notJson), 400, 'The body is not JSON'],
    [
      'a body that is not an event',
      notAnEvent,
      sign(notAnEvent),
      400,
      'The body is not a Stripe event: id: expected an event id',
    ],
    [
      'a live event where test events are expected',
      live,
      sign(live),
      400,
      'This endpoint takes test events; this is a live event',
    ],
  ])('%s', (_name, body, signature, statusCode, reason) => {
    const verdict = check(body, signature);

    const isMismatch = reason.startsWith('does not match') ? { isMismatch: true } : {};
    expect(verdict).toEqual({ accepted: false, statusCode, reason: expect.stringContaining(reason), ...isMismatch });
    expect((verdict as { reason: string }).reason).not.toMatch(/\n|whsec_/);
  });
});
