"""The log in Redis or Valkey, for many processes and machines."""

from tickertape.logs.redis.log import RedisLog

__all__ = ["RedisLog"]
