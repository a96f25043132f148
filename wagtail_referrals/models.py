"""One import per room, so that Django finds the models."""

from wagtail_referrals.insights.models import *  # noqa: F403
from wagtail_referrals.messages.models import *  # noqa: F403
from wagtail_referrals.people.models import *  # noqa: F403
from wagtail_referrals.programs.models import *  # noqa: F403
from wagtail_referrals.recognition.models import *  # noqa: F403
from wagtail_referrals.referrals.models import *  # noqa: F403
from wagtail_referrals.rewards.models import *  # noqa: F403
from wagtail_referrals.site.models import *  # noqa: F403
from wagtail_referrals.site.settings import *  # noqa: F403
from wagtail_referrals.tracking.models import *  # noqa: F403
from wagtail_referrals.trust.models import *  # noqa: F403
